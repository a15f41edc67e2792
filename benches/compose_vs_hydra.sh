#!/usr/bin/env bash
# Composes configs/train.yaml in fresh processes, by spectramind and by Hydra 1.3.2, and compares text and time.
# Usage: SPECTRAMIND_PYTHON=<python with hydra-core 1.3.2> benches/compose_vs_hydra.sh target/release/spectramind
set -euo pipefail
spectramind=$(realpath "${1:?the spectramind binary}")
python=${SPECTRAMIND_PYTHON:?a python with hydra-core 1.3.2}
runs=${RUNS:-20}
cd "$(dirname "$0")/.."

original='
import os, sys
import hydra
from omegaconf import OmegaConf
assert hydra.__version__ == "1.3.2", hydra.__version__
with hydra.initialize_config_dir(os.path.abspath("configs"), version_base="1.3"):
    sys.stdout.write(OmegaConf.to_yaml(hydra.compose("train", ["trainer=ci_fast"])))
'
ours() { "$spectramind" train --cfg job trainer=ci_fast; }
theirs() { "$python" -c "$original"; }

cmp <(ours) <(theirs)
echo "equal: $(ours | wc -c) bytes"

# Milliseconds of wall time, the median of the runs.
median_ms() {
    for _ in $(seq "$runs"); do
        start=${EPOCHREALTIME/./}
        "$1" >/dev/null
        echo $((${EPOCHREALTIME/./} - start))
    done | sort -n | awk '{ us[NR] = $1 } END { printf "%.1f", (us[int((NR + 1) / 2)] + us[int(NR / 2) + 1]) / 2e3 }'
}
ours_ms=$(median_ms ours)
theirs_ms=$(median_ms theirs)
echo "spectramind: $ours_ms ms, Hydra 1.3.2: $theirs_ms ms, medians of $runs runs"
awk -v ours="$ours_ms" -v theirs="$theirs_ms" 'BEGIN { printf "ratio: %.0f\n", theirs / ours }'
