#!/usr/bin/env bash
# Times training steps of twelve kinds of model (benches/models) on Repro<Flex>, Flex and PyTorch (deterministic algorithms) in
# turns, on the same number of threads, and prints the ratios.
# Usage: SPECTRAMIND_PYTHON=<python with torch> benches/models_vs_torch.sh BENCH [THREADS]
# BENCH is the executable that `cargo bench --no-run --bench models` names.
set -euo pipefail
bench=$(realpath "${1:?the models bench executable}")
threads=${2:-1}
python=${SPECTRAMIND_PYTHON:?a python with torch}
rounds=${ROUNDS:-2}
cd "$(dirname "$0")"
results=$(mktemp -d)
trap 'rm -r "$results"' EXIT

for round in $(seq "$rounds"); do
    SPECTRAMIND_BENCH_TABLE=1 RAYON_NUM_THREADS=$threads "$bench" --bench >"$results/ours.$round"
    cut -d' ' -f1 "$results/ours.$round" | "$python" models_vs_torch.py "$threads" >"$results/torch.$round"
done
echo "threads: $threads, minimum of $rounds rounds, microseconds a step"
awk '
    FILENAME ~ /ours/ { if (!($1 in ours)) { order[++count] = $1; ours[$1] = $2; flex[$1] = $3 }
        if ($2 < ours[$1]) ours[$1] = $2; if ($3 < flex[$1]) flex[$1] = $3 }
    FILENAME ~ /torch/ { if (!($1 in torch) || $2 < torch[$1]) torch[$1] = $2 }
    END {
        printf "%-12s %10s %10s %10s %12s %14s\n", "model", "ours", "Flex", "PyTorch", "ours / Flex", "ours / PyTorch"
        for (i = 1; i <= count; i++) { m = order[i]
            printf "%-12s %10.1f %10.1f %10.1f %12.2f %14.2f\n", m, ours[m], flex[m], torch[m], ours[m] / flex[m], ours[m] / torch[m] }
    }' "$results"/ours.* "$results"/torch.*
