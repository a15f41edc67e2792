#!/usr/bin/env bash
# What audit points cost, and what a part of a replay saves: the same training of 2,000 steps with and without 40 segments, in turns; then
# the replay of four segments beside the training.
#
#   benches/audit_points.sh [FOLDER [ROUNDS [OVERRIDE…]]]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-$(mktemp -d)} rounds=${2:-3}
[ $# -lt 2 ] || shift 2
[ $# -ne 1 ] || shift 1
mkdir -p "$folder"
cargo build --quiet --release --workspace --features spectramind-verify/replay
program=target/release/spectramind verifier=target/release/spectramind-verify
# Prints the seconds of the training by the clock, and those of the processor.
train() {
    local segments=$1 run=$2
    shift 2
    TIMEFORMAT='%U %S'
    { time "$program" train recipe=v50 "data.root=$folder/data" sim.planets=256 sim.test_planets=0 trainer.max_epochs=500 \
        trainer.checkpoint.save_top_k=1 "audit.segments=$segments" "run.dir=$run" "$@" >/dev/null 2>&1; } 2>"$folder/processor.txt"
    # Of the log of events: from the first step to the end, without data.
    python3 -c '
import json, sys
processor = sum(map(float, open(sys.argv[2]).read().split()))
events = [json.loads(line) for line in open(sys.argv[1] + "/logs/events.jsonl")]
steps = [event["elapsedSeconds"] for event in events if event["event"]["kind"] in ("trained", "validated", "checkpoint")]
print(steps[-1] - steps[0], processor)' "$run" "$folder/processor.txt"
}
train 1 "$folder/warm-up" "$@" >/dev/null
for round in $(seq "$rounds"); do
    # Who goes first takes turns, too: a machine gets warm.
    if [ $((round % 2)) = 1 ]; then
        without=$(train 1 "$folder/without-$round" "$@") with=$(train 40 "$folder/with-$round" "$@")
    else
        with=$(train 40 "$folder/with-$round" "$@") without=$(train 1 "$folder/without-$round" "$@")
    fi
    echo "$without $with"
done | tee "$folder/pairs.txt"
python3 - "$folder/pairs.txt" <<'PYTHON'
import statistics, sys
pairs = [tuple(map(float, line.split())) for line in open(sys.argv[1])]
for what, at in [("clock", 0), ("processor", 1)]:
    without, with_ = [pair[at] for pair in pairs], [pair[at + 2] for pair in pairs]
    print("with / without, %s: median of pairs %.4f, of the fastest %.4f" % (
        what, statistics.median(b / a for a, b in zip(without, with_)), min(with_) / min(without)))
PYTHON
run=$folder/with-1
echo "audit points: $(ls "$run/audit" | wc -l), $(du -sk "$run/audit" | cut -f1) kB; a checkpoint: $(stat -c %s "$run/checkpoints/final.safetensors") bytes"
for part in "--segments 4" "--segments 4 --jobs 1" ""; do
    begin=$(date +%s.%N)
    # shellcheck disable=SC2086
    "$verifier" replay "$run" $part > "$folder/replay.txt"
    end=$(date +%s.%N)
    python3 -c 'import sys
took, pairs = float(sys.argv[3]) - float(sys.argv[2]), [line.split() for line in open(sys.argv[4])]
print("replay %s: %.1f s, 1/%.1f of the training" % (sys.argv[1], took, float(pairs[0][1]) / took))' \
        "${part:-whole}" "$begin" "$end" "$folder/pairs.txt"
    grep -E "segments, |finds" "$folder/replay.txt" || true
done
