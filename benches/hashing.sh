#!/usr/bin/env bash
# Hashes a tree of 2 GiB in 10,000 files by spectramind and by b3sum in turns, on the same number of threads and with the
# files in the page cache, then once by `dvc add` without its cache, and prints the ratios.
# Usage: B3SUM=<b3sum> SPECTRAMIND_PYTHON=<python with dvc> benches/hashing.sh BENCH [THREADS]
# BENCH is the executable that `cargo bench --no-run --bench hashing` names.
set -euo pipefail
bench=$(realpath "${1:?the hashing bench executable}")
threads=${2:-$(nproc)}
b3sum=${B3SUM:-b3sum}
python=${SPECTRAMIND_PYTHON:?a python with dvc}
rounds=${ROUNDS:-5}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export RAYON_NUM_THREADS=$threads

# Sizes from 1 byte to 419 KiB, 2 GiB in all; 100 files a folder.
"$python" - "$folder/tree" <<'PYTHON'
import os, random, sys
generator = random.Random(5)
left = 2**31
for number in range(10_000):
    folder = os.path.join(sys.argv[1], f"{number // 100:02}")
    os.makedirs(folder, exist_ok=True)
    size = left if number == 9_999 else min(left, generator.randint(1, 429_496))
    left -= size
    with open(os.path.join(folder, f"{number:05}.bin"), "wb") as file:
        file.write(generator.randbytes(size))
PYTHON
cd "$folder"
seconds() {
    local start=${EPOCHREALTIME/./}
    "$@" >/dev/null
    echo $((${EPOCHREALTIME/./} - start)) | awk '{ printf "%.3f", $1 / 1e6 }'
}
ours() { "$bench" tree "$@"; }
theirs() { find tree -type f -print0 | xargs -0 -n 20000 "$b3sum" --num-threads "$threads"; }

# The same digests, and the files in the page cache.
"$bench" tree | tee "$folder/ours"
theirs >/dev/null
uptime
for _ in $(seq "$rounds"); do
    echo "$(seconds ours) $(seconds theirs) $(seconds ours md5)"
done | tee "$folder/times"

"$python" -m dvc init --quiet --no-scm
"$python" -m dvc config core.analytics false
"$python" -m dvc config core.check_update false
dvc=$(seconds "$python" -m dvc add --quiet tree)
uptime
awk -v threads="$threads" -v dvc="$dvc" '
    NR == 1 || $1 < ours { ours = $1 } NR == 1 || $2 < theirs { theirs = $2 } NR == 1 || $3 < md5 { md5 = $3 }
    END {
        printf "threads: %s, minimum of %d rounds, seconds as a process\n", threads, NR
        printf "ours %.3f, b3sum %.3f: %.2f times; with MD5 %.3f; dvc add %.3f: ours is 1/%.1f, with MD5 1/%.1f\n", \
            ours, theirs, ours / theirs, md5, dvc, dvc / ours, dvc / md5
    }' "$folder/times"
