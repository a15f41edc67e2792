//! From a checkpoint to a submission to a score.

use crate::sandbox::{Sandbox, field, trained_copy};

#[test]
fn a_checkpoint_predicts_the_test_planets_and_the_submission_is_scored() {
    let sandbox = trained_copy();
    let checkpoint = "checkpoint=run/checkpoints/final.safetensors";
    sandbox.done(&["predict", checkpoint, "out=first.csv"]);
    sandbox.done(&["predict", checkpoint, "out=second.csv"]);
    let first = std::fs::read_to_string(sandbox.path("first.csv")).expect("read");
    assert_eq!(first, std::fs::read_to_string(sandbox.path("second.csv")).expect("read"));
    assert_eq!(first.lines().count(), 1 + 4, "a line per test planet");

    let truth = ["evaluate", "submission=first.csv", "truth=data/sim_tiny/test.csv"];
    let printed = sandbox.done(&truth).stdout;
    let json = sandbox.done(&[&truth[..], &["--json"]].concat()).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let score = json["score"].as_f64().expect("a score");
    assert!(score > 0.0 && score < 1.0, "{score}");
    assert!(field(&printed, "score ").starts_with(&format!("{score:.6}")), "{printed}");

    let negative = first.replacen(",0.", ",-0.", 1);
    std::fs::write(sandbox.path("negative.csv"), negative).expect("write");
    let refused = sandbox.run(&["evaluate", "submission=negative.csv", "truth=data/sim_tiny/test.csv"]);
    assert_eq!(refused.code, 1, "a negative value rejects the file\n{}", refused.stdout);

    let some: Vec<_> = first.lines().take(3).collect();
    std::fs::write(sandbox.path("some.csv"), some.join("\n") + "\n").expect("write");
    let refused = sandbox.run(&["evaluate", "submission=some.csv", "truth=data/sim_tiny/test.csv"]);
    assert_eq!(refused.code, 1, "no score for the planets one likes\n{}", refused.stdout);
    assert!(
        refused.stderr.contains("some.csv does not hold the planets of data/sim_tiny/test.csv"),
        "{}",
        refused.stderr
    );
    let own = ["evaluate", "submission=run/predictions.csv", "truth=data/sim_tiny/train.csv", "subset=true", "--json"];
    let own: serde_json::Value = serde_json::from_str(&sandbox.done(&own).stdout).expect("JSON");
    let signed = std::fs::read_to_string(sandbox.path("run/evaluation.json")).expect("read");
    let signed: serde_json::Value = serde_json::from_str(&signed).expect("JSON");
    assert_eq!(own["planets"], signed["planets"]);
}

#[test]
fn a_planet_whose_frames_are_broken_has_a_row_and_stops_a_calibration_that_may_leave_nothing_out() {
    let sandbox = trained_copy();
    let sample = std::fs::read_to_string(sandbox.path("data/sim_tiny/sample_submission.csv")).expect("read");
    let planets: Vec<&str> = sample.lines().skip(1).map(|line| line.split(',').next().expect("an id")).collect();
    let signal = |planet: &str| sandbox.path(format!("data/sim_tiny/test/{planet}/FGS1_signal_0.parquet"));
    // Every visit of the one is cut, the only one of the other has no file.
    for entry in std::fs::read_dir(signal(planets[0]).parent().expect("a folder")).expect("list") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let whole = std::fs::read(&path).expect("read");
            std::fs::write(&path, &whole[..whole.len() / 2]).expect("write");
        }
    }
    std::fs::remove_file(signal(planets[3])).expect("remove");
    let refused = sandbox.run(&["predict", "checkpoint=run", "calib.broken=refuse"]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("FGS1_signal_0.parquet"), "{}", refused.stderr);
    let outcome = sandbox.done(&["predict", "checkpoint=run"]);
    for planet in [planets[0], planets[3]] {
        assert!(outcome.stderr.contains(&format!("planet {planet} visit 0 is left out: ")), "{}", outcome.stderr);
        let row =
            format!("planet {planet}: predicted as the mean of the training planets: its files are missing or broken");
        assert!(outcome.stderr.contains(&row), "{}", outcome.stderr);
    }
    let first = std::fs::read_to_string(sandbox.path("submission.csv")).expect("read");
    assert_eq!(first.lines().count(), 5);
    // From what was calibrated then.
    let again = sandbox.done(&["predict", "checkpoint=run"]);
    assert!(again.stderr.contains("its files are missing or broken"), "{}", again.stderr);
    assert_eq!(first, std::fs::read_to_string(sandbox.path("submission.csv")).expect("read"));
    // What was left out is not passed off as whole.
    let refused = sandbox.run(&["predict", "checkpoint=run", "calib.broken=refuse"]);
    assert_ne!(refused.code, 0, "{}", refused.stdout);
}

#[test]
fn planets_without_a_truth_are_named() {
    let sandbox = trained_copy();
    sandbox.done(&["predict", "checkpoint=run/checkpoints/final.safetensors"]);
    let outcome = sandbox.run(&["evaluate", "submission=submission.csv"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("train.csv"), "{}", outcome.stderr);
}

#[test]
fn why_two_runs_differ_is_said_on_one_screen() {
    let sandbox = trained_copy();
    sandbox.done(&["train", "trainer=ci_fast", "run.dir=other", "optimizer.lr=0.002"]);
    let same = sandbox.run(&["runs", "diff", "run", "run"]);
    assert_eq!(same.code, 0, "{}{}", same.stdout, same.stderr);
    assert!(same.stdout.starts_with("the same     workload, config, commit, "), "{}", same.stdout);
    let outcome = sandbox.run(&["runs", "diff", "run", "other"]);
    assert_eq!(outcome.code, 1, "{}{}", outcome.stdout, outcome.stderr);
    for said in
        ["config       ", "optimizer.lr: ", " and 0.002", "steps        part at step 1: learningRateBits ", "numerics"]
    {
        assert!(outcome.stdout.contains(said), "{said}\n{}", outcome.stdout);
    }
    assert!(outcome.stdout.lines().count() < 24, "one screen: {}", outcome.stdout);
    std::fs::remove_file(sandbox.path("other/manifest.intoto.jsonl")).expect("remove");
    assert_eq!(sandbox.run(&["runs", "diff", "run", "other"]).code, 1);
}

#[test]
fn a_planet_without_frames_and_one_that_nothing_can_be_measured_on_have_the_training_planets_mean_and_are_named() {
    let sandbox = trained_copy();
    let sample = std::fs::read_to_string(sandbox.path("data/sim_tiny/sample_submission.csv")).expect("read");
    let planets: Vec<&str> = sample.lines().skip(1).map(|line| line.split(',').next().expect("an id")).collect();
    std::fs::remove_dir_all(sandbox.path(format!("data/sim_tiny/test/{}", planets[1]))).expect("remove");
    // An inclination in radians.
    let stars = sandbox.path("data/sim_tiny/test_star_info.csv");
    let table = std::fs::read_to_string(&stars).expect("read");
    let radians = |line: &str| match line.starts_with(&format!("{},", planets[2])) {
        true => format!("{},1.55", line.rsplit_once(',').expect("columns").0),
        false => line.to_owned(),
    };
    std::fs::write(&stars, table.lines().map(radians).collect::<Vec<_>>().join("\n") + "\n").expect("write");
    let outcome = sandbox.done(&["predict", "checkpoint=run"]);
    for (planet, why) in [(planets[1], "no light curves"), (planets[2], "expected an inclination i")] {
        let named = format!("planet {planet}: predicted as the mean of the training planets: ");
        let line = outcome.stderr.lines().find(|line| line.contains(&named));
        assert!(line.is_some_and(|line| line.contains(why)), "{planet}\n{}", outcome.stderr);
    }
    let submission = std::fs::read_to_string(sandbox.path("submission.csv")).expect("read");
    let rows: Vec<Vec<&str>> = submission.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), planets, "the order of the sample");
    let is_flat = |row: &[&str]| row[1..284].iter().all(|cell| *cell == row[1]);
    assert_eq!(rows.iter().map(|row| is_flat(row)).collect::<Vec<_>>(), [false, true, true, false]);
    assert_eq!((rows[1][1], rows[1][284]), (rows[2][1], rows[2][284]));
}

#[test]
fn a_run_that_has_not_ended_and_a_device_that_is_not_there_are_told_before_anything_is_calibrated() {
    let sandbox = trained_copy();
    let curves = sandbox.path("data/sim_tiny-calibrated/test");
    // No machine of the tests has one.
    let refused = sandbox.run(&["predict", "checkpoint=run", "accelerator=cuda"]);
    assert!(refused.code != 0 && refused.stderr.contains("cuda"), "{}", refused.stderr);
    assert!(!curves.exists());
    std::fs::remove_file(sandbox.path("run/sigma_scale.json")).expect("remove");
    let refused = sandbox.run(&["predict", "checkpoint=run"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    for piece in ["run: expected a run of the Ariel workload that came to its end", "checkpoints/last.safetensors"] {
        assert!(refused.stderr.contains(piece), "{piece}\n{}", refused.stderr);
    }
    assert!(!curves.exists());
}

#[test]
fn several_runs_are_mixed_into_one_submission() {
    let sandbox = trained_copy();
    sandbox.done(&["train", "trainer=ci_fast", "trainer.seed=5", "run.dir=other"]);
    for (checkpoint, out) in [("run", "a.csv"), ("other", "b.csv"), ("[run,other]", "both.csv")] {
        sandbox.done(&["predict", &format!("checkpoint={checkpoint}"), &format!("out={out}")]);
    }
    let cell = |file: &str| -> f64 {
        let text = std::fs::read_to_string(sandbox.path(file)).expect("read");
        text.lines()
            .nth(1)
            .and_then(|line| line.split(',').nth(1))
            .and_then(|cell| cell.parse().ok())
            .expect("a number")
    };
    let (a, b, both) = (cell("a.csv"), cell("b.csv"), cell("both.csv"));
    assert!(a != b && (both - (a + b) / 2.0).abs() < 1e-15, "{a} {b} {both}");
}

#[test]
fn every_model_is_trained_signed_and_scored_and_the_better_ones_score_more() {
    let sandbox = Sandbox::with_data();
    let score = |model: &str| -> f64 {
        let run = format!("run.dir={model}");
        let outcome = sandbox.done(&["train", "trainer=ci_fast", &format!("model={model}"), &run]);
        let text = std::fs::read_to_string(sandbox.path(model).join("evaluation.json")).expect("read");
        let evaluation: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let score = evaluation["score"].as_f64().expect("a score");
        assert!(field(&outcome.stdout, "score ").starts_with(&format!("{score:.4}")), "{model}: {}", outcome.stdout);
        assert!(field(&outcome.stdout, "weights ").starts_with("checkpoints/"), "{model}: {}", outcome.stdout);
        score
    };
    let scores = ["white_light", "channel_ratio", "template", "template_pca", "bayes", "v50", "v50_ssm"].map(score);
    assert!(scores.iter().all(|score| (0.0..1.0).contains(score)), "{scores:?}");
    // Four planets with a handful of photons tell the extremes apart, and no neighbours.
    assert!(scores[4] > scores[1] + 0.05 && scores[5] > scores[1] + 0.05, "{scores:?}");
    let audit = sandbox.verify(&["audit", "v50_ssm", "--program", "installed", "--replay"]);
    assert_eq!(audit.code, 0, "{}{}", audit.stdout, audit.stderr);
    let all = sandbox.done(&["train", "trainer=ci_fast", "data.test_fraction=0", "run.dir=all"]);
    assert!(field(&all.stdout, "score ").starts_with("none: no planets were held out"), "{}", all.stdout);
    sandbox.done(&["predict", "checkpoint=all"]);
    let wrong = sandbox.run(&["train", "trainer=ci_fast", "model=v50_ssm", "model.network.states=0"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stdout);
    assert!(wrong.stderr.contains("model.network: expected states above 0"), "{}", wrong.stderr);
}
