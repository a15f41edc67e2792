#!/usr/bin/env bash
# What audit points cost, and what a part of a replay saves: the same training of 2,000 steps with and without 40 segments, in turns, three
# times; then the replay of four segments beside that of the whole.
#
#   benches/audit_points.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-$(mktemp -d)}
cargo build --quiet --release --workspace --features spectramind-verify/replay
program=target/release/spectramind verifier=target/release/spectramind-verify
train() {
    "$program" train recipe=v50 "data.root=$folder/data" sim.planets=256 sim.test_planets=0 trainer.max_epochs=500 \
        trainer.checkpoint.save_top_k=1 "audit.segments=$1" "run.dir=$2" >/dev/null 2>&1
    # Of the log of events: from the first step to the end, without data.
    python3 -c '
import json, sys
events = [json.loads(line) for line in open(sys.argv[1] + "/logs/events.jsonl")]
steps = [event["elapsedSeconds"] for event in events if event["event"]["kind"] in ("trained", "validated", "checkpoint")]
print(steps[-1] - steps[0])' "$2"
}
train 1 "$folder/warm-up" >/dev/null
for round in 1 2 3; do
    echo "$(train 1 "$folder/without-$round") $(train 40 "$folder/with-$round")"
done | tee "$folder/pairs.txt"
python3 - "$folder/pairs.txt" <<'PYTHON'
import statistics, sys
pairs = [tuple(map(float, line.split())) for line in open(sys.argv[1])]
print("with / without, median of pairs: %.4f" % statistics.median(with_ / without for without, with_ in pairs))
PYTHON
run=$folder/with-1
echo "audit points: $(ls "$run/audit" | wc -l), $(du -sk "$run/audit" | cut -f1) kB; a checkpoint: $(stat -c %s "$run/checkpoints/final.safetensors") bytes"
for part in "--segments 4" ""; do
    begin=$(date +%s.%N)
    # shellcheck disable=SC2086
    "$verifier" replay "$run" $part > "$folder/replay.txt"
    end=$(date +%s.%N)
    python3 -c 'import sys; print("replay %s: %.1f s" % (sys.argv[1], float(sys.argv[3]) - float(sys.argv[2])))' "${part:-whole}" "$begin" "$end"
    grep -E "segments, |finds" "$folder/replay.txt" || true
done
