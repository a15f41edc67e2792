//! What is said about data sets, raw and derived, and by the commands that make and judge them.

use insta::assert_snapshot;

use super::said;
use crate::sandbox::Sandbox;

#[test]
fn missing_and_other_data() {
    let sandbox = Sandbox::with_data();
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast data=ariel data.root=nowhere/at/all --quiet"), @"
    exit 1
    made a signing key for you: [sandbox]/home/.config/spectramind/signing-key.pem
    Error: data set ariel: expected a folder at nowhere/at/all, got nothing there
    Hint: put the data there, say where they are with data.root=DIR, or use data=sim_tiny
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast data.simulation=tiny sim.seed=1 --quiet"), @"
    exit 1
    Error: data set data/sim_tiny: expected one simulated with the settings composed now, got another
    Hint: delete the data set to simulate it again, or keep both with data.root=ANOTHER_DIR
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast calib.steps.dark=false --quiet"), @"
    exit 1
    Error: data/sim_tiny-calibrated/train/light_curves.safetensors was calibrated from other data or with other settings than those composed now
    Hint: delete that file to calibrate again, or keep both with calib.out=ANOTHER_DIR
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast calib.output=cube --quiet"), @"
    exit 2
    Error: calib.output: expected light_curve for training and prediction, got cube
    Hint: add calib.output=light_curve
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast data.level=binned --quiet"), @"
    exit 2
    Error: data.level=binned: expected light curves at data/sim_tiny/train/light_curves.safetensors, got none
    Hint: leave data.level=binned away for a data set of frames
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast trainer.devices=cuda --quiet"), @r#"
    exit 2
    Error: trainer.devices: expected a number of devices, or auto (set by the override "trainer.devices=cuda")
    Hint: set another value: `trainer.devices=<value>`
    "#);
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast trainer.val_check_interval=100000 --quiet"), @"
    exit 2
    Error: trainer.val_check_interval: expected at most the 8 steps of an epoch, got 100000
    Hint: add trainer.val_check_interval=1.0, or a number up to 8
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast trainer.limit_train_batches=0.001 --quiet"), @"
    exit 2
    Error: trainer.limit_train_batches=0.001: expected at least one of the 8 batches
    Hint: add trainer.limit_train_batches=1, or a larger share
    ");
    assert_snapshot!(said(&sandbox, "spectramind train trainer=ci_fast trainer.monitor=nothing --quiet"), @r#"
    exit 2
    Error: override "trainer.monitor=nothing": key "trainer.monitor" is not in the config
    Hint: did you mean `trainer.checkpoint.monitor=nothing`? `+trainer.monitor=nothing` adds a new key
    "#);
    assert_snapshot!(said(&sandbox, "touch data/sim_tiny-calibrated/train/thesis.txt; spectramind train trainer=ci_fast --quiet"), @"
    exit 1
    Error: data/sim_tiny-calibrated/train: expected light_curves.safetensors and nothing else, got thesis.txt
    Hint: move thesis.txt elsewhere, or choose another folder with calib.out=DIR: an audit makes that folder again and compares it
    ");
}

#[test]
fn broken_tables() {
    let sandbox = Sandbox::with_data();
    assert_snapshot!(said(&sandbox, "rm -r data/sim_tiny-calibrated; mv data/sim_tiny/train.csv kept; spectramind train trainer=ci_fast --quiet"), @"
    exit 1
    made a signing key for you: [sandbox]/home/.config/spectramind/signing-key.pem
    Error: table of true spectra is missing: data/sim_tiny/train.csv
    Hint: the data set is incomplete: get that file again
    ");
    assert_snapshot!(said(&sandbox, r"printf 'planet_id,wl_1\n1,x\n' > data/sim_tiny/train.csv; spectramind train trainer=ci_fast --quiet"), @r#"
    exit 1
    Error: wrong shape in data/sim_tiny/train.csv: expected a column "wl_2", got 2 columns: planet_id, wl_1
    Hint: the file is damaged or of another kind: get it, or simulate it, again
    "#);
    assert_snapshot!(said(&sandbox, "printf '' > data/sim_tiny/train.csv; spectramind train trainer=ci_fast --quiet"), @r#"
    exit 1
    Error: wrong shape in data/sim_tiny/train.csv: expected a column "wl_1", got an empty file
    Hint: the file is damaged or of another kind: get it, or simulate it, again
    "#);
    assert_snapshot!(said(&sandbox, "sed 's/0[.]0[0-9]*/NaN/' kept > data/sim_tiny/train.csv; spectramind train trainer=ci_fast --quiet"), @r#"
    exit 1
    Error: wrong value at line 2, column wl_1 of data/sim_tiny/train.csv: expected a finite number, got "NaN"
    Hint: the file is damaged or of another kind: get it, or simulate it, again
    "#);
    assert_snapshot!(said(&sandbox, "sed 2d kept > data/sim_tiny/train.csv; spectramind train trainer=ci_fast --quiet"), @"
    exit 1
    Error: data/sim_tiny/train.csv: expected a row for planet 2337200, got none
    Hint: get data/sim_tiny/train.csv again, or move the folder of planet 2337200 out of the data set
    ");
    assert_snapshot!(said(&sandbox, "cp kept data/sim_tiny/train.csv; sed -i 2d data/sim_tiny/train_star_info.csv; spectramind train trainer=ci_fast --quiet"), @"
    exit 1
    Error: data/sim_tiny/train_star_info.csv: expected a row for planet 2337200, got none
    Hint: get data/sim_tiny/train_star_info.csv again, or move the folder of planet 2337200 out of the data set
    ");
    assert_snapshot!(said(&sandbox, "printf 'x' > data/sim_tiny/wavelengths.csv; spectramind train trainer=ci_fast --quiet"), @"
    exit 1
    Error: wrong shape in data/sim_tiny/wavelengths.csv: expected one row, got 0 rows
    Hint: the file is damaged or of another kind: get it, or simulate it, again
    ");
}

#[test]
fn broken_frames() {
    let sandbox = Sandbox::with_data();
    assert_snapshot!(said(&sandbox, "for f in data/sim_tiny/train/*/AIRS-CH0_signal_0.parquet; do printf x > $f; done; spectramind calibrate --quiet"), @"
    exit 1
    Error: data/sim_tiny/train/2337200/AIRS-CH0_signal_0.parquet cannot be read as parquet
      caused by: EOF: Parquet file too small. Size is 1 but need 8
    Hint: the file is damaged or of another kind: get it, or simulate it, again
    ");
    assert_snapshot!(said(&sandbox, "for f in data/sim_tiny/train/*/AIRS-CH0_signal_0.parquet; do rm $f; cp data/sim_tiny/axis_info.parquet $f; done; spectramind calibrate --quiet"), @"
    exit 1
    Error: wrong shape in data/sim_tiny/train/2337200/AIRS-CH0_signal_0.parquet: expected 11392 columns column_0…column_11391, or one flattened column, got 4 columns
    Hint: the file is damaged or of another kind: get it, or simulate it, again
    ");
    assert_snapshot!(said(&sandbox, "rm data/sim_tiny/train/*/AIRS-CH0_signal_0.parquet; spectramind calibrate --quiet"), @"
    exit 1
    Error: file of frames is missing: data/sim_tiny/train/2337200/AIRS-CH0_signal_0.parquet
    Hint: the data set is incomplete: get that file again
    ");
    assert_snapshot!(said(&sandbox, "rm -r data/sim_tiny/train/*/; spectramind calibrate --quiet"), @"
    exit 1
    Error: planet in the split's folder is missing: data/sim_tiny/train
    Hint: the data set is incomplete: get that file again
    ");
    assert_snapshot!(said(&sandbox, "rm -r data/sim_tiny/train; spectramind calibrate --quiet"), @"
    exit 1
    Error: folder of planets is missing: data/sim_tiny/train
    Hint: the data set is incomplete: get that file again
    ");
}

#[test]
fn simulate_and_calibrate() {
    let sandbox = Sandbox::with_data();
    assert_snapshot!(said(&sandbox, "mkdir out; touch out/thesis.txt; spectramind simulate sim.out=out --quiet"), @"
    exit 1
    Error: simulation output out exists: expected no folder or an empty one
    Hint: choose another folder with sim.out=DIR, or delete that one
    ");
    assert_snapshot!(said(&sandbox, "spectramind simulate sim.planets=0 --quiet"), @"
    exit 2
    Error: sim.planets: expected a number from 1 to 100000, got 0
    Hint: set sim.planets to a number from 1 to 100000
    ");
    assert_snapshot!(said(&sandbox, "spectramind simulate sim=nothing --quiet"), @r#"
    exit 2
    Error: override "sim=nothing": could not find the option "nothing" of the group "sim"
    Hint: the options of "sim": binned, full, tiny
    "#);
    assert_snapshot!(said(&sandbox, "spectramind simulate sim.out=/proc/nothing --quiet"), @"
    exit 1
    Error: cannot create /proc/nothing.partial
      caused by: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind calibrate calib.out=out --quiet"), @"
    exit 1
    Error: no complete time bin in data/sim_tiny/train/2337200/FGS1_signal_0.parquet: expected at least 360 pairs of reads, got 120
    Hint: set smaller calib.airs_bin and calib.fgs1_bin, as calib=tiny does, or calibrate longer visits
    ");
    assert_snapshot!(said(&sandbox, "spectramind calibrate calib.split=nothing --quiet"), @r#"
    exit 2
    Error: override "calib.split=nothing": key "calib.split" is not in the config
    Hint: did you mean `data.split=nothing`? `+calib.split=nothing` adds a new key
    "#);
    assert_snapshot!(said(&sandbox, "spectramind calibrate calib.out=/proc/nothing --quiet"), @"
    exit 1
    Error: cannot create /proc/nothing
      caused by: No such file or directory (os error 2)
    ");
    assert_snapshot!(said(&sandbox, "spectramind calibrate data=ariel data.root=nowhere --quiet"), @"
    exit 1
    Error: data set ariel: expected a folder at nowhere, got nothing there
    Hint: put the data there, say where they are with data.root=DIR, or use data=sim_tiny
    ");
}
