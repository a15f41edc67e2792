#!/usr/bin/env bash
# Builds what a release consists of, for Linux on x86-64 with glibc 2.28 or newer, and publishes nothing:
#
#   release/build.sh [--cpu] [--out DIR]          [default: target/dist]
#
# --cpu leaves out the backends of GPUs, and the wheel. The same commit gives the same bytes in any folder: release/reproduce.sh
# shows it. Needs rustup's toolchain, python3 with venv, git, GNU tar and binutils. docs/releasing.md explains.
set -euo pipefail
cd "$(dirname "$0")/.."

variant='' out=target/dist features=spectramind-verify/replay,wgpu,cuda
while [ $# -gt 0 ]; do
    case $1 in
        --cpu) variant=-cpu features=spectramind-verify/replay ;;
        --out) out=${2:?--out: expected a folder} && shift ;;
        *) echo "release/build.sh: expected --cpu or --out DIR, got $1" >&2 && exit 2 ;;
    esac
    shift
done
triple=x86_64-unknown-linux-gnu glibc=2.28

# The programs name the commit that they are built from, and say when their sources were not that commit's.
if [ -n "$(git status --porcelain --untracked-files=all)" ]; then
    echo 'release/build.sh: expected a clean work tree, got changes: git status' >&2
    exit 1
fi

rust=$(sed -n 's/^rust=//p' release/toolchain)
if [ "$(rustc -V | cut -d ' ' -f 2)" != "$rust" ]; then
    echo "release/build.sh: expected rustc $rust, got $(rustc -V): rustup toolchain install $rust && rustup override set $rust" >&2
    exit 1
fi

# Zig's compiler and linker, which know the symbols of older glibcs: pinned, and the same on every machine.
tools=target/release-python
if ! cmp -s release/requirements.txt "$tools/requirements.txt"; then
    python3 -m venv --clear "$tools"
    "$tools/bin/python3" -m pip install --quiet --disable-pip-version-check --require-hashes -r release/requirements.txt
    cp release/requirements.txt "$tools/"
fi
export PATH=$PWD/$tools/bin:$PATH

# Nothing of the folder, the time or the machine may get into what is built.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
cargo_home=${CARGO_HOME:-$HOME/.cargo}
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8 TZ=UTC CARGO_INCREMENTAL=0 SPECTRAMIND_CHECKOUT=
unset RUSTFLAGS
CARGO_ENCODED_RUSTFLAGS=$(printf '%s\x1f%s' "--remap-path-prefix=$cargo_home=/cargo" "--remap-path-prefix=$PWD=/spectramind")
export CARGO_ENCODED_RUSTFLAGS
export CFLAGS="-ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$PWD=/spectramind"
umask 022

cargo fetch --locked --target "$triple"
build=(cargo-zigbuild zigbuild --locked --offline --release --target "$triple.$glibc" --target-dir target
    --package spectramind --package spectramind-verify --features "$features")
"${build[@]}" --bins
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
name=spectramind-$version-$triple$variant
built=target/$triple/release
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/$name/bin" "$out"
cp "$built/spectramind" "$built/spectramind-verify" "$stage/$name/bin/"
bash release/check-program.sh "$glibc" "$stage/$name/bin/spectramind" "$stage/$name/bin/spectramind-verify"

# Of the verifier's package alone: with the program's own, its libraries would be built again with what its tests ask for.
cargo-zigbuild zigbuild --locked --offline --release --target "$triple.$glibc" --target-dir target \
    --package spectramind-verify --features "$features" --example pages
"$built/examples/pages" "$stage/$name"
for shell in bash fish zsh; do
    file=spectramind.$shell
    if [ "$shell" = zsh ]; then file=_spectramind; fi
    # It names the file that printed it: an installed one is found by its name.
    "$stage/$name/bin/spectramind" completion "$shell" | sed "s|$stage/$name/bin/spectramind|spectramind|g" > "$stage/$name/completions/$file"
done
cp README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT docs/install.md "$stage/$name/"
python3 release/components.py --target "$triple" --features "$features" \
    --licences "$stage/$name/THIRD-PARTY.txt" --sbom "$out/$name.cdx.json"
cp "$out/$name.cdx.json" "$stage/$name/sbom.cdx.json"

tar --create --directory "$stage" --sort=name --format=gnu --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
    --mode='u+rw,go=rX' "$name" | gzip --no-name --best > "$out/$name.tar.gz"
if [ -z "$variant" ]; then
    python3 release/wheel.py --version "$version" --glibc "$glibc" --from "$stage/$name" --out "$out"
fi
cd "$out"
find . -maxdepth 1 -type f ! -name SHA256SUMS -printf '%P\n' | sort | xargs sha256sum > "$stage/sums"
cp "$stage/sums" SHA256SUMS
cat SHA256SUMS
