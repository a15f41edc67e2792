#!/bin/sh
# Trains runs that would take hours under a short limit on wall time, and says of each how much of it was used:
#     tests/wall_limit.sh [SECONDS [TIMES [OVERRIDE…]]]
# Each has to end within the limit by its own clock, and by this script's, signed, with predictions, and pass an audit. Needs the
# programs in target/release, or in the folder that SPECTRAMIND_BIN names.
set -eu
seconds=${1:-60} times=${2:-20}
[ $# -lt 2 ] || shift 2
sources=$(cd "$(dirname "$0")/.." && pwd)
programs=${SPECTRAMIND_BIN:-$sources/target/release}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HOME="$folder/home"
mkdir -p "$folder/work"
cd "$folder/work"
cp -r "$sources/configs" .
"$programs/spectramind" simulate 2>/dev/null >/dev/null
# What the first run makes is not measured.
"$programs/spectramind" train trainer=ci_fast run.dir=first >/dev/null 2>&1
kept=0
for number in $(seq "$times"); do
    began=$(date +%s.%N)
    "$programs/spectramind" train trainer=ci_fast run.dir="run-$number" trainer.max_epochs=1000000 trainer.early_stopping=null \
        trainer.max_time=null trainer.limit_train_batches=null envelope.wall_seconds="$seconds" "$@" >printed 2>told ||
        { cat told >&2; exit 1; }
    ended=$(date +%s.%N)
    exit=$(sed -n 's/^exit *//p' printed)
    said=$("$programs/spectramind" runs show "run-$number" |
        sed -n '/"wallSeconds"/,/"value"/s/.*"value": *\([0-9.]*\).*/\1/p' | head -n 1)
    audit=0
    "$programs/spectramind-verify" audit "run-$number" --program installed --repository . --configs configs \
        --configs-elsewhere >audit 2>&1 || audit=$?
    in_time=$(echo "$said $began $ended $seconds" | awk '{ print ($1 <= $4 && $3 - $2 <= $4 + 1) ? "kept" : "BROKEN" }')
    grep -q 'passed       envelope' audit && [ -s "run-$number/predictions.csv" ] || in_time=BROKEN
    [ "$in_time" = BROKEN ] || kept=$((kept + 1))
    echo "$number: $in_time, $said s of $seconds s; $exit; audit $audit"
done
echo "$kept of $times kept the limit of $seconds s"
[ "$kept" = "$times" ]
