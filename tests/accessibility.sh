#!/usr/bin/env bash
# The two pages that the programs write, of a run made here, looked at by axe-core (tests/accessibility.mjs). Needs node, npm and
# Chromium (CHROMIUM, or /usr/bin/chromium).
#     tests/accessibility.sh SPECTRAMIND SPECTRAMIND-VERIFY
set -euo pipefail
spectramind=$(realpath "$1") verify=$(realpath "$2")
cd "$(dirname "$0")/.."
modules=$PWD/target/accessibility
mkdir -p "$modules"
PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm install --silent --no-audit --no-fund --prefix "$modules" axe-core@4.14.1 playwright-core@1.65.1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME=$work/home XDG_CONFIG_HOME=$work/home/.config
cp -r configs .gitignore "$work"
script=$PWD/tests/accessibility.mjs
cd "$work"
git init --quiet
git add --all
git -c user.name=test -c user.email=test@example.org commit --quiet --message=configs
"$spectramind" train trainer=ci_fast run.dir=run
"$spectramind" keys show --public > pub.pem
"$spectramind" runs report run --out report.html
"$verify" audit run --key pub.pem --program installed --html audit.html
node "$script" "$modules" report.html audit.html
