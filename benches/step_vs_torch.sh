#!/usr/bin/env bash
# Times a training step of tests/network.rs on Repro<Flex>, Flex and PyTorch (deterministic algorithms) in turns, on the
# same number of threads, and prints the ratios.
# Usage: SPECTRAMIND_PYTHON=<python with torch> benches/step_vs_torch.sh BENCH [THREADS]
# BENCH is the executable that `cargo bench --no-run --bench step` names.
set -euo pipefail
bench=$(realpath "${1:?the step bench executable}")
threads=${2:-1}
python=${SPECTRAMIND_PYTHON:?a python with torch}
rounds=${ROUNDS:-5}
cd "$(dirname "$0")"
for round in $(seq "$rounds"); do
    printf '%s ' "$(SPECTRAMIND_BENCH_TABLE=1 RAYON_NUM_THREADS=$threads "$bench" --bench)"
    "$python" step_vs_torch.py "$threads"
done | awk -v threads="$threads" '
    NR == 1 || $1 < ours { ours = $1 } NR == 1 || $2 < flex { flex = $2 } NR == 1 || $3 < torch { torch = $3 }
    END {
        printf "threads: %s, minimum of %d rounds, microseconds a step\n", threads, NR
        printf "ours %.1f, Flex %.1f, PyTorch %.1f; ours is %.2f times Flex, %.2f times PyTorch\n", \
            ours, flex, torch, ours / flex, ours / torch }'
