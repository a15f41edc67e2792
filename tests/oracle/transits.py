#!/usr/bin/env python3
"""Light curves by Kreidberg's batman: what ours are checked against.

    transits.py < SYSTEMS > CURVES

Each line of SYSTEMS is a JSON object {period, axis, inclination, radius, u1, u2, hours: [...]}, with hours from mid-transit;
each line of CURVES the relative flux at those hours. Needs batman-package.
"""

import json
import sys

import batman
import numpy as np

for line in sys.stdin:
    system = json.loads(line)
    parameters = batman.TransitParams()
    parameters.t0, parameters.per, parameters.rp = 0.0, system["period"], system["radius"]
    parameters.a, parameters.inc = system["axis"], system["inclination"]
    parameters.ecc, parameters.w = 0.0, 90.0
    parameters.u, parameters.limb_dark = [system["u1"], system["u2"]], "quadratic"
    days = np.array(system["hours"]) / 24.0
    print(json.dumps(batman.TransitModel(parameters, days).light_curve(parameters).tolist()))
