#!/usr/bin/env bash
# Burn's own test suites on the reproducible backend: which of them pass, fail, are refused by name, or are ignored?
#
#   tests/burn/run.sh BURN [cpu|vulkan] [FOLDER]
#
# BURN is a git repository of https://github.com/tracel-ai/burn that has the commit of release 0.21.0. Its suites of
# tensors, autodiff, burn-nn and burn-optim are copied to FOLDER (a temporary one, unless given) beside this folder's
# manifests, each test is given a seed (with UNSEEDED=1: none, Burn's files as they are), and are built and run there, on
# `Repro<Flex>` or on `Repro<Vulkan>`, which a software driver serves too. Prints a table by area and the ops that
# refused. Exit status 1 if a test fails that is not in known.txt, or one that is there passes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../.." && pwd)
# The commit that burn 0.21.0 was published from, as its crates say themselves (.cargo_vcs_info.json).
commit=546cacb55fe00168854d19bdf0a5d79bd8060e03
repository=${1:?a git repository of Burn}
backend=${2:-cpu}
case $backend in cpu | vulkan) ;; *) echo "no such backend: $backend; there are cpu and vulkan" >&2; exit 2 ;; esac
if [ $# -ge 3 ]; then
    mkdir -p "$3"
    folder=$(cd "$3" && pwd)
else
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
git -C "$repository" cat-file -e "$commit^{commit}" || { echo "$repository has no commit $commit" >&2; exit 2; }

# Burn's files, which stay outside of the tree, and this folder's.
rm -rf "$folder/crates"
mkdir -p "$folder/crates"
git -C "$repository" archive "$commit" crates/burn-backend-tests/tests crates/burn-nn/src crates/burn-optim/src |
    tar -x -C "$folder"
for crate in burn-backend-tests burn-nn burn-optim; do
    sed "s|@TREE@|$tree|" "$here/$crate.toml" >"$folder/crates/$crate/Cargo.toml"
done
# Optimised as here.
{
    cat "$here/workspace.toml"
    echo
    sed -n '/^\[profile.dev\]/,/^\[profile.release\]/{/^\[profile.release\]/!p}' "$tree/Cargo.toml"
} >"$folder/Cargo.toml"
cp "$tree/Cargo.lock" "$folder/Cargo.lock"
cd "$folder/crates"
mkdir -p burn-backend-tests/src
touch burn-backend-tests/src/lib.rs
cp "$here/backend.rs" burn-backend-tests/tests/common/backend.rs
cp "$here/autodiff.rs" burn-backend-tests/tests/common/autodiff.rs
# Of burn-nn and burn-optim, the backend is a type in lib.rs, but for three files that name Flex.
for crate in burn-nn burn-optim; do
    sed -i 's/= burn_flex::Flex;/= repro_burn::Cpu;/; s/= burn_wgpu::Wgpu;/= repro_burn::Vulkan;/' \
        "$crate/src/lib.rs"
    cat "$here/begin.rs" >>"$crate/src/lib.rs"
done
sed -i 's/use burn_flex::{Flex, FlexDevice};/use crate::TestBackend as Flex;/; s/= FlexDevice;/= burn_core::tensor::Device::<Flex>::default();/; s/&FlexDevice\>/\&burn_core::tensor::Device<Flex>/' \
    burn-nn/src/loss/ctc.rs burn-nn/src/loss/rnnt.rs
sed -i 's/= burn_flex::Flex;/= crate::TestBackend;/' burn-optim/src/optim/muon.rs
# Burn's might_panic installs a panic hook that waits for itself when a test panics with another message.
sed -i '/might_panic/d' burn-backend-tests/tests/autodiff/cast.rs
# Each test begins with a call that chooses the default types and, unless told not to, a seed.
find burn-backend-tests/tests/tensor burn-backend-tests/tests/autodiff burn-nn/src burn-optim/src -name '*.rs' |
    while read -r file; do
        awk '{ print }
            /^ *#\[(test|rstest)\]/ { test = 1 }
            test && /\{$/ { print "crate::begin();"; test = 0 }' "$file" >"$folder/begun"
        mv "$folder/begun" "$file"
    done

cd "$folder"
features=suites-$backend
status=0
log=$folder/$backend.log
# --all-targets would build Burn's benchmarks; doc tests show no behaviour of a backend.
cargo test --no-fail-fast --workspace --lib --tests --features "$features" >"$log" 2>&1 || status=$?
# 101: some test failed, which the table judges.
if [ "$status" != 0 ] && [ "$status" != 101 ]; then
    tail -n 50 "$log"
    echo "cargo ended with exit status $status" >&2
    exit 3
fi
awk -v backend="$backend" -f "$here/table.awk" "$here/known.txt" "$log" || {
    status=$?
    echo "what was printed is in $log"
    exit $status
}
