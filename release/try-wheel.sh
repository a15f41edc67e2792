#!/usr/bin/env bash
# Installs a wheel as a user would, into an empty environment and a folder without the sources, and makes and audits a run there:
#
#   release/try-wheel.sh WHEEL
#
# Fails when that takes a minute or more.
set -euo pipefail
wheel=$(realpath "${1:?expected a wheel}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export HOME=$scratch/home XDG_CONFIG_HOME=$scratch/home/.config XDG_CACHE_HOME=$scratch/home/.cache XDG_STATE_HOME=$scratch/home/.state
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=Test GIT_AUTHOR_EMAIL=test@example.org
export GIT_COMMITTER_NAME=Test GIT_COMMITTER_EMAIL=test@example.org
mkdir -p "$HOME" "$scratch/work" && cd "$scratch/work"
began=$SECONDS
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check --no-index "$wheel"
export PATH=$scratch/venv/bin:$PATH
[ "$(command -v spectramind)" = "$scratch/venv/bin/spectramind" ]
spectramind --version && spectramind-verify --version
spectramind init
git init --quiet && git add configs .gitignore && git commit --quiet --message configs
spectramind train trainer=ci_fast | tee "$scratch/train.log"
verify=$(sed -n 's/^verify  *//p' "$scratch/train.log")
audit=$(bash -euo pipefail -c "$verify --key '$XDG_CONFIG_HOME/spectramind/signing-key.pub.pem' --replay")
head -n 4 <<< "$audit"
took=$((SECONDS - began))
echo "installed, trained and audited in $took s"
[ "$took" -lt 60 ] || { echo 'expected less than 60 s' >&2; exit 1; }
