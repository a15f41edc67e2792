#!/usr/bin/env bash
# The table of scores in docs/ariel.md: every model, trained on 1,100 simulated planets with three seeds (of the split and of the
# run), predicts 600 others, whose detectors have another background. Takes about ten minutes on two cores.
#
#   benches/ariel_scores.sh FOLDER     # of the data and the runs; made anew
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:?a folder for data and runs}
mkdir "$folder"
program=$PWD/target/release/spectramind
[ -x "$program" ] || { echo "build it first: cargo build --release --workspace --features spectramind-verify/replay" >&2; exit 2; }

echo '| model | seed | score | FGS1 | AIRS | z sd | within 1 sigma | step root |'
echo '|---|---|---|---|---|---|---|---|'
for model in white_light channel_ratio template template_pca bayes v50 v50_ssm; do
    for seed in 1 2 3; do
        run=$folder/$model-$seed
        # What has no network has two numbers to train.
        epochs=10
        case $model in v50*) epochs=40 ;; esac
        data=("data.root=$folder/data")
        root=$("$program" train recipe=v50 "model=$model" "${data[@]}" data.test_fraction=0 "data.split_seed=$seed" "trainer.seed=$seed" \
            "trainer.max_epochs=$epochs" "run.dir=$run" 2>/dev/null | sed -n 's/^step root  *//p')
        "$program" predict data=sim_binned "${data[@]}" "checkpoint=$run" "out=$run.csv" >/dev/null 2>&1
        "$program" evaluate "submission=$run.csv" "truth=$folder/data/test.csv" "naive=$folder/data/train.csv" --json |
            python3 -c '
import json, sys
model, seed, root = sys.argv[1:]
e = json.load(sys.stdin)
figures = "{unclipped:.4f} ± {standardError:.4f} | {fgs1:.4f} | {airs:.4f} | {zSd:.3f} | {coverage68:.3f}".format(**e)
print(f"| {model} | {seed} | {figures} | {root[:12]} |")' \
            "$model" "$seed" "$root"
    done
done
