//! What is said about frames that cannot be calibrated, light curves that nothing can be measured on, and predictions.

use insta::assert_snapshot;

use super::said;
use crate::sandbox::{Sandbox, trained_copy};

#[test]
fn frames() {
    let sandbox = Sandbox::with_data();
    assert_snapshot!(said(&sandbox, "spectramind simulate sim.out=more sim.planets=1 sim.test_planets=1 sim.airs_frames=240 sim.fgs1_frames=480 --quiet"), @"
    exit 0
    ");
    assert_snapshot!(said(&sandbox, "mv data/sim_tiny-calibrated kept; cp more/train/*/FGS1_signal_0.parquet data/sim_tiny/train/12177962/; spectramind calibrate calib=tiny calib.out=out --quiet"), @"
    exit 1
    Error: more reads in data/sim_tiny/train/12177962/FGS1_signal_0.parquet than axis_info.parquet describes: expected at most 240, got 480
    Hint: the files are not of one data set: get them, or simulate them, again
    ");
    assert_snapshot!(said(&sandbox, "cp more/axis_info.parquet data/sim_tiny; spectramind calibrate calib=tiny calib.out=out --quiet"), @"
    exit 1
    Error: light curves need equal numbers of time bins: expected 60 as in AIRS-CH0 of planet 12177962 visit 0, got 120 in FGS1
    Hint: calib.airs_bin and calib.fgs1_bin have to cut the two instruments' pairs of reads into equally many bins
    ");
    assert_snapshot!(said(&sandbox, r#"awk 'NR == 2 { sub(/,[0-9.]*,/, ",9.9,") } 1' data/sim_tiny/wavelengths.csv > w; cp w data/sim_tiny/wavelengths.csv; spectramind calibrate calib=tiny calib.out=out --quiet"#), @"
    exit 1
    Error: axis_info.parquet and wavelengths.csv disagree: expected 9.9 µm (wl_2) at AIRS column 320, got 1.9517606921736812 µm
    Hint: the files are not of one data set: get them, or simulate them, again
    ");
    assert_snapshot!(said(&sandbox, "spectramind calibrate --quiet data.level=binned"), @"
    exit 2
    Error: data.level: expected raw, whose frames can be calibrated, got binned
    Hint: use a data set of frames, such as data=sim_tiny
    ");
}

#[test]
fn light_curves() {
    let sandbox = Sandbox::with_data();
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast --quiet calib.output=cube"), @"
    exit 2
    Error: calib.output: expected light_curve for training and prediction, got cube
    Hint: add calib.output=light_curve
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast --quiet data.level=binned"), @"
    exit 2
    made a signing key for you: [sandbox]/home/.config/spectramind/signing-key.pem
    Error: data.level=binned: expected light curves at data/sim_tiny/train/light_curves.safetensors, got none
    Hint: leave data.level=binned away for a data set of frames
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast --quiet data.val_fraction=0.5 data.test_fraction=0.49"), @"
    exit 2
    Error: data.val_fraction and data.test_fraction: expected planets left to train on, got 24 of 24 held out
    Hint: set smaller shares, or use a data set of more planets
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast --quiet data.val_fraction=0.5 data.test_fraction=0.5"), @"
    exit 2
    Error: data.val_fraction and data.test_fraction: expected shares that leave planets to train on, got 1 in all
    Hint: set data.val_fraction and data.test_fraction to shares that leave planets to train on
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast --quiet data.level=binned data.simulation=tiny"), @"
    exit 2
    Error: data.level=binned is simulated with sim.level=binned, got sim.level=raw
    Hint: add sim.level=binned or data.level=raw
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast --quiet data.simulation=binned"), @"
    exit 2
    Error: data.name=sim_tiny is simulated with sim=binned, got sim=tiny
    Hint: add sim=binned
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast --quiet calib.out=a calib.airs_bin=20"), @"
    exit 1
    Error: light curves need equal numbers of time bins: expected 3 as in AIRS-CH0 of planet 2337200 visit 0, got 60 in FGS1
    Hint: calib.airs_bin and calib.fgs1_bin have to cut the two instruments' pairs of reads into equally many bins
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast --quiet calib.out=b calib.airs_bin=12 calib.fgs1_bin=24"), @"
    exit 1
    Error: planet 2337200, visit 0: expected at least 12 time bins in a light curve, got 5
    Hint: set smaller calib.airs_bin and calib.fgs1_bin: more bins of fewer reads
    ");
    assert_snapshot!(said(&sandbox, "mv data/sim_tiny/train_star_info.csv kept; awk -F, -v OFS=, 'NR > 1 { for (i = 2; i <= NF; i++) $i = 0 } 1' kept > data/sim_tiny/train_star_info.csv; spectramind train trainer=ci_fast --quiet"), @"
    exit 1
    Error: planet 2337200, visit 0: star table: expected a period P above 0 days, got 0
    Hint: correct the planet's row in the star table, or move the planet out of the data set
    ");
    assert_snapshot!(said(&sandbox, "cp kept data/sim_tiny/train_star_info.csv; head -c 100 data/sim_tiny-calibrated/train/light_curves.safetensors > l; cp l data/sim_tiny-calibrated/train/light_curves.safetensors; spectramind train trainer=ci_fast --quiet"), @"
    exit 1
    Error: data/sim_tiny-calibrated/train/light_curves.safetensors is not a calibrated file: EOF while parsing a string at line 1 column 92
    Hint: delete data/sim_tiny-calibrated/train/light_curves.safetensors: it is made again
    ");
}

#[test]
fn predictions() {
    let sandbox = trained_copy();
    assert_snapshot!(said(&sandbox, "spectramind predict checkpoint=run data.level=binned --quiet"), @"
    exit 2
    Error: run/checkpoints/final.safetensors: expected a model that was trained with data.level=binned, got one that was trained with raw
    Hint: runs that are mixed, and the data that they predict, need light curves of one kind
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast run.dir=other calib.out=other-curves calib.steps.flat=false --quiet > other.txt; spectramind predict checkpoint=[run,other] --quiet"), @"
    exit 2
    Error: other/checkpoints/final.safetensors: expected a model that was trained with calib.steps.flat=true, got one that was trained with false
    Hint: runs that are mixed, and the data that they predict, need light curves of one kind
    ");
    assert_snapshot!(said(&sandbox, "spectramind simulate sim.out=more sim.planets=1 sim.test_planets=1 sim.airs_frames=240 sim.fgs1_frames=480 --quiet; spectramind predict checkpoint=run data.root=more calib.out=c2 --quiet"), @"
    exit 1
    Error: light curves: expected 60 time bins, with which run/checkpoints/final.safetensors was trained, got 120
    Hint: data of visits as long as those that the run was trained on have as many
    ");
    assert_snapshot!(said(&sandbox, "echo '{}' > run/sigma_scale.json; spectramind predict checkpoint=run --quiet"), @"
    exit 1
    Error: run/sigma_scale.json: expected the scale of σ that the end of a run fits, got something else (missing field `checkpoint` at line 1 column 2)
    Hint: get the run directory again, or name a checkpoint, which is then taken as it is: run/checkpoints/final.safetensors
    ");
    assert_snapshot!(said(&sandbox, "spectramind evaluate submission=nothing.csv --quiet"), @"
    exit 1
    Error: submission is missing: nothing.csv
    Hint: name the file that spectramind predict wrote: submission=FILE
    ");
    assert_snapshot!(said(&sandbox, "awk -F, -v OFS=, 'NR > 1 { for (i = 2; i <= NF; i++) $i = -0.01 } 1' run/predictions.csv > minus.csv; spectramind evaluate submission=minus.csv subset=true --quiet"), @"
    exit 1
    Error: minus.csv: planet 57529926, predicted mean of wl_1: expected a finite number that is not negative, got -0.01
    Hint: correct it, or predict again: spectramind predict
    ");
    assert_snapshot!(said(&sandbox, "head -1 data/sim_tiny/train.csv > none.csv; spectramind evaluate submission=run/predictions.csv subset=true naive=none.csv --quiet"), @"
    exit 1
    Error: none.csv: expected the row of a planet at least, got none
    Hint: the file is damaged, or was cut: get it again
    ");
    assert_snapshot!(said(&sandbox, "awk -F, -v OFS=, 'NR > 1 { for (i = 2; i <= NF; i++) $i = 0.25 } 1' data/sim_tiny/train.csv > flat.csv; spectramind evaluate submission=run/predictions.csv subset=true naive=flat.csv --quiet"), @"
    exit 1
    Error: training targets have no spread: expected a positive standard deviation, got 0
    ");
    assert_snapshot!(said(&sandbox, "head -1 run/predictions.csv > none.csv; spectramind evaluate submission=none.csv subset=true --quiet"), @"
    exit 1
    Error: none.csv: expected the row of a planet at least, got none
    Hint: the file is damaged, or was cut: get it again
    ");
    assert_snapshot!(said(&sandbox, "sed 's/lightCurves/lightCurvez/' run/checkpoints/final.safetensors > c.safetensors; spectramind predict checkpoint=c.safetensors --quiet"), @"
    exit 1
    Error: checkpoint c.safetensors: expected one of the Ariel workload, got another's (unknown field `lightCurvez`, expected one of `model`, `lightCurves`, `bins`, `prior`, `scalarMeans`, `scalarSds`, `depthMean`, `depthUnit`, `scales` at line 1 column 115)
    Hint: name a run of this workload, or a checkpoint of one
    ");
}

#[test]
fn packages() {
    let sandbox = trained_copy();
    assert_snapshot!(said(&sandbox, r"(printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\1\0\076\0\1\0\0\0'; head -c 100 /dev/zero) > program; spectramind package run --program program"), @"
    exit 2
    Error: program program: expected a Linux program for x86-64, got an ELF file that is no program (type 1)
    Hint: name one with --program FILE: build it on Linux, or with --target x86_64-unknown-linux-gnu
    ");
    assert_snapshot!(said(&sandbox, r"(printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\267\0\1\0\0\0'; head -c 100 /dev/zero) > program; spectramind package run --program program"), @"
    exit 2
    Error: program program: expected a Linux program for x86-64, got one for another processor (ELF machine 183)
    Hint: name one with --program FILE: build it on Linux, or with --target x86_64-unknown-linux-gnu
    ");
    assert_snapshot!(said(&sandbox, "head -c 100000 $(command -v spectramind) > program; spectramind package run --program program"), @"
    exit 2
    Error: program program: expected a Linux program for x86-64, got an ELF file with broken version needs (Invalid ELF section header offset/size/alignment)
    Hint: name one with --program FILE: build it on Linux, or with --target x86_64-unknown-linux-gnu
    ");
}

#[test]
fn runs_of_a_command() {
    let sandbox = trained_copy();
    assert_snapshot!(said(&sandbox, r"printf 'command: {outputs: [x]}\n' > configs/exec.yaml; spectramind exec hydra.run.dir=e --quiet -- sh -c 'echo x > $SPECTRAMIND_RUN_DIR/x' > /dev/null; spectramind plot run=e"), @r#"
    exit 1
    Error: e: expected a run of the workload ariel, got one of "command"
    Hint: name a run of it; spectramind runs report shows any run
    "#);
    assert_snapshot!(said(&sandbox, "sed -i 2d data/sim_tiny/train.csv; spectramind plot run=run"), @"
    exit 1
    reading the run's files
    Error: data/sim_tiny/train.csv: expected 143019 bytes with BLAKE3 [digest], as the list of the data set says, got other ones
    Hint: the data set changed after it was hashed: get it as it was, or start again when nothing writes to it
    ");
}

#[test]
fn light_that_is_none() {
    let sandbox = Sandbox::new();
    assert_snapshot!(said(&sandbox, "spectramind simulate sim.out=lit sim.light.airs_background_per_second=100000 sim.planets=9 sim.test_planets=0 --quiet; spectramind train trainer=ci_fast data.root=lit data.simulation=null --quiet"), @"
    exit 1
    made a signing key for you: [sandbox]/home/.config/spectramind/signing-key.pem
    Error: planet 2337200, visit 0: wl_2: expected a positive finite flux in every bin, got -1578.2513336995617
    Hint: move the planet out of the data set, or get its files again
    ");
}
