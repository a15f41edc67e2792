#!/usr/bin/env bash
# Builds the release twice, in two folders of other names and depths, and compares every byte of what came of it:
#
#   release/reproduce.sh [--keep DIR] [--cpu]
#
# --keep copies them there when they are the same.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD commit=$(git rev-parse HEAD) keep=''
if [ "${1:-}" = --keep ]; then
    keep=${2:?--keep: expected a folder}
    shift 2
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for folder in one two/deeper; do
    git clone --quiet "$here" "$scratch/$folder/spectramind"
    git -C "$scratch/$folder/spectramind" checkout --quiet "$commit"
    # No build takes anything from the other, nor from what was built here before.
    bash "$scratch/$folder/spectramind/release/build.sh" "$@" --out "$scratch/$folder/dist" > "$scratch/log" 2>&1 ||
        { tail -n 40 "$scratch/log" >&2; exit 1; }
    rm -rf "$scratch/$folder/spectramind"
done
(cd "$scratch/one/dist" && cat SHA256SUMS)
if ! diff --recursive --brief "$scratch/one/dist" "$scratch/two/deeper/dist"; then
    echo 'release/reproduce.sh: expected the same bytes from both folders, got the differences above' >&2
    exit 1
fi
if [ -n "$keep" ]; then
    mkdir -p "$keep"
    cp "$scratch"/one/dist/* "$keep/"
fi
echo "the same bytes, built twice: $commit"
