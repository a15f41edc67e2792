#!/usr/bin/env python3
"""The official score with scipy, from the challenge's formula alone.

    score.py SUBMISSION TRUTH NAIVE

Three CSV files, the planets of the first two in the same order. Prints the unclipped score, or "rejected".
"""

import csv
import sys

import numpy as np
from scipy.stats import norm

WIDTH = 283


def table(path):
    with open(path, newline="") as file:
        return np.array([[float(cell) for cell in row[1:]] for row in list(csv.reader(file))[1:]])


submission, truth, naive = map(table, sys.argv[1:])
if not (np.isfinite(submission).all() and (submission >= 0).all()):
    print("rejected")
    sys.exit()
mean, sigma = submission[:, :WIDTH], np.clip(submission[:, WIDTH:], 1e-15, None)
ideal_sigma = np.where(np.arange(WIDTH) == 0, 1e-6, 1e-5) * np.ones_like(truth)
predicted = norm.logpdf(truth, loc=mean, scale=sigma)
floor = norm.logpdf(truth, loc=naive.mean(), scale=naive.std())
ideal = norm.logpdf(truth, loc=truth, scale=ideal_sigma)
cells = (predicted - floor) / (ideal - floor)
weights = np.where(np.arange(WIDTH) == 0, 57.846, 1.0) * np.ones_like(truth)
print(repr(float(np.average(cells, weights=weights))))
