#!/usr/bin/env bash
# Everything that needs a GPU, in one call, from programs built elsewhere: do CUDA and Vulkan give the golden bits there,
# and how fast?
#
#   cargo build --release --workspace --features spectramind-verify/replay,wgpu,cuda
#   cargo bench --no-run --bench step --features wgpu,cuda
#   tests/gpu.sh FOLDER
#
# FOLDER holds the stripped `spectramind`, `spectramind-verify` and (if the speed is asked for) the benchmark `step`. Run
# it in a checkout: it reads configs/ and golden/. Prints a table; exit status 1 if anything that could run failed.
set -uo pipefail
cd "$(dirname "$0")/.."
programs=$(cd "${1:?the folder with spectramind and spectramind-verify}" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
rows=()

row() { rows+=("$(printf '%-34s %-8s %s' "$1" "$2" "$3")"); }

# check NAME COMMAND...: runs it, keeps the last line that says something, notes the time.
check() {
    local name=$1 begin=$SECONDS verdict=passed
    shift
    if ! "$@" >"$scratch/log" 2>&1; then
        verdict=FAILED
        failed=1
        sed "s/^/    /" "$scratch/log" | tail -n 20
    fi
    row "$name" "$verdict" "$((SECONDS - begin)) s"
}

echo '== devices'
"$programs/spectramind" doctor || true

"$programs/spectramind" doctor --json >"$scratch/doctor.json" 2>"$scratch/doctor.err" || true # 1: an op failed; judged below
if ! python3 -c 'import json,sys; json.load(open(sys.argv[1]))["devices"][0]' "$scratch/doctor.json"; then
    cat "$scratch/doctor.err"
    echo 'doctor gave no findings (or python3 is absent): nothing was checked'
    exit 1
fi
present=(cpu)
for accelerator in cuda wgpu; do
    found=$(python3 -c "import json,sys; print(any(d['accelerator'] == '$accelerator' for d in json.load(open(sys.argv[1]))['devices']))" "$scratch/doctor.json")
    if [ "$found" = True ]; then present+=("$accelerator"); else row "$accelerator" absent ''; fi
done

echo '== native products: do they stay inside their operands where Burn 0.21 has kernels that do not?'
for accelerator in "${present[@]}"; do
    products=$(python3 -c "
import json, sys
devices = json.load(open(sys.argv[1]))['devices']
print('; '.join(sorted({str(d['nativeProducts']) for d in devices if d['accelerator'] == '$accelerator'})))" "$scratch/doctor.json")
    if [ "$products" = 'inside their operands' ]; then
        row "native products, $accelerator" passed ''
    else
        row "native products, $accelerator" FAILED "$products"
        failed=1
    fi
done

echo '== bits'
for accelerator in "${present[@]}"; do
    check "golden digests, $accelerator" "$programs/spectramind-verify" golden --accelerator "$accelerator"
done
"$programs/spectramind" keys generate --out "$scratch/key.pem" >/dev/null || exit 1
for precision in 32 16-mixed bf16-mixed; do
    for accelerator in "${present[@]}"; do
        run="$scratch/$accelerator-$precision"
        check "train ci_fast, $precision, $accelerator" "$programs/spectramind" train trainer=ci_fast \
            trainer.accelerator="$accelerator" trainer.precision="$precision" data.root="$scratch/data" run.dir="$run" \
            --signing-key "$scratch/key.pem"
        if [ "$accelerator" = cpu ]; then continue; fi
        for file in steps.jsonl predictions.csv checkpoints/final.safetensors; do
            check "  $file equals the CPU's" cmp "$scratch/cpu-$precision/$file" "$run/$file"
        done
    done
done

echo '== workers: two on one device of each kind, and each kind beside the CPU'
for accelerator in "${present[@]}"; do
    for workers in "[$accelerator,$accelerator]" "[$accelerator,cpu]"; do
        run="$scratch/workers-${workers//[^a-z]/-}"
        check "two workers, $workers" "$programs/spectramind" train trainer=ci_fast "trainer.accelerator=$workers" \
            trainer.devices=2 data.root="$scratch/data" run.dir="$run" --signing-key "$scratch/key.pem"
        for file in steps.jsonl predictions.csv checkpoints/final.safetensors; do
            check "  $file equals one CPU's" cmp "$scratch/cpu-32/$file" "$run/$file"
        done
    done
done

if [ -x "$programs/step" ]; then
    echo '== speed'
    "$programs/step" --bench || failed=1
    # The same step in PyTorch, where there is one with CUDA.
    torch=${SPECTRAMIND_PYTHON:-python3}
    if "$torch" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
        printf '%-40s %10.1f\n' 'CUDA, PyTorch' "$("$torch" benches/step_vs_torch.py 1 cuda)"
    else
        echo 'no PyTorch with CUDA: set SPECTRAMIND_PYTHON to have its step beside'
    fi
fi

echo '== table'
printf '%s\n' "${rows[@]}"
exit $failed
