#!/usr/bin/env bash
# The public API of our libraries as text, docs/api/<crate>.txt: what of it changes shows in a diff. Features as in the two
# commands of README, so not what `wgpu` and `cuda` add.
#     tests/api.sh             compares; exit status 1 where one differs
#     tests/api.sh --update    writes
# Needs Rust 1.95, whose rustdoc writes the JSON format (57) that cargo-public-api 0.52.0 reads:
#     cargo install --locked cargo-public-api --version 0.52.0
# found in PATH or in target/tools/bin.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:$PWD/target/tools/bin
mkdir -p target/api
# The JSON is not stable: rustdoc alone is told that we know. Told to cargo, it would build every crate anew.
printf '#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc "$@"\n' > target/api/rustdoc
chmod +x target/api/rustdoc
RUSTDOC=$PWD/target/api/rustdoc RUSTDOCFLAGS="-Zunstable-options --output-format json" \
    cargo doc --locked --workspace --no-deps --lib --features spectramind-verify/replay
differ=0
for crate in hydra_compose repro_burn repro_ranks spectramind spectramind_verify; do
    # Without what the compiler implements by itself, blanket implementations and derives.
    cargo-public-api public-api -sss --rustdoc-json "target/doc/$crate.json" > "target/api/$crate.txt"
    [ -s "target/api/$crate.txt" ] || { echo "$crate: nothing is public?"; exit 1; }
    if [ "${1-}" = --update ]; then
        mkdir -p docs/api
        cp "target/api/$crate.txt" "docs/api/$crate.txt"
    elif ! diff -u "docs/api/$crate.txt" "target/api/$crate.txt"; then
        differ=1
    fi
done
[ $differ = 0 ] || { echo 'the public API changed: tests/api.sh --update writes what it is now'; exit 1; }
