#!/usr/bin/env bash
# Times matrix products of Repro<Flex>, Flex and PyTorch in turns, on the same number of threads, and prints the ratios.
# Usage: SPECTRAMIND_PYTHON=<python with torch> benches/matmul_vs_torch.sh BENCH [THREADS]
# BENCH is the executable that `cargo bench --no-run --no-default-features --features engine --bench matmul` names.
set -euo pipefail
bench=$(realpath "${1:?the matmul bench executable}")
threads=${2:-1}
python=${SPECTRAMIND_PYTHON:?a python with torch}
rounds=${ROUNDS:-5}
cd "$(dirname "$0")/.."
results=$(mktemp -d)
trap 'rm -r "$results"' EXIT

for round in $(seq "$rounds"); do
    SPECTRAMIND_BENCH_TABLE=1 RAYON_NUM_THREADS=$threads "$bench" --bench | grep -E '^[0-9x]+T?x[0-9]+T? ' >"$results/ours.$round"
    cut -d' ' -f1 "$results/ours.$round" | "$python" benches/matmul_vs_torch.py "$threads" >"$results/torch.$round"
done
echo "threads: $threads, level: ${SPECTRAMIND_CPU_LEVEL:-best}, minimum of $rounds rounds, microseconds"
awk '
    FILENAME ~ /ours/ { if (!($1 in ours)) { order[++count] = $1; ours[$1] = $2; flex[$1] = $3 }
        if ($2 < ours[$1]) ours[$1] = $2; if ($3 < flex[$1]) flex[$1] = $3 }
    FILENAME ~ /torch/ { if (!($1 in torch) || $2 < torch[$1]) torch[$1] = $2 }
    END {
        printf "%-18s %10s %10s %10s %8s %8s\n", "m x k x n", "ours", "Flex", "PyTorch", "/Flex", "/PyTorch"
        for (i = 1; i <= count; i++) { s = order[i]
            printf "%-18s %10.1f %10.1f %10.1f %8.2f %8.2f\n", s, ours[s], flex[s], torch[s], flex[s] / ours[s], torch[s] / ours[s] }
    }' "$results"/ours.* "$results"/torch.*
