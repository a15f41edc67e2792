//! A program of one's own, as `spectramind new` writes it from `examples/own-workload`: built, trained, audited by a second
//! person, changed, killed and resumed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::action::run_action;
use crate::sandbox::{Outcome, Sandbox, copy_tree, field, python_with, repository};

/// A package that was written and built, in a repository of its own.
struct Package {
    sandbox: Sandbox,
}

/// The package, made once: a build, and one of the verifier with a constant of the loss changed.
fn package() -> &'static Package {
    static PACKAGE: OnceLock<Package> = OnceLock::new();
    PACKAGE.get_or_init(|| {
        let sandbox = Sandbox::empty();
        let outcome = sandbox.done(&["new", "demo"]);
        assert!(outcome.stdout.contains("\ncd demo\ncargo build\n"), "{}", outcome.stdout);
        let package = Package { sandbox };
        let root = package.path("demo");
        cargo(&root, &["metadata", "--locked", "--format-version=1"]);
        // The tests' own dependencies have this feature asked for: with it, rayon and all above it are not built once more.
        edit(
            &root.join("Cargo.toml"),
            "[dependencies]\n",
            "[dependencies]\neither = { version = \"1\", default-features = false, features = [\"use_std\"] }\n",
        );
        package.build("bin", &["demo", "demo-verify"]);
        // Whichever test comes first.
        package.done("bin/demo", &["keys", "generate"]);
        for arguments in [&["init", "--quiet"][..], &["add", "--all"], &["commit", "--quiet", "--message=a workload"]] {
            let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
            let mut git = package.sandbox.prepare(Command::new("git"));
            let outcome = Outcome::of(git.current_dir(&root).args(identity).args(arguments));
            assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        }
        edit(&root.join("src/lib.rs"), "(1.0 - smoothing)", "(1.0 - smoothing) * 1.0001");
        package.build("changed", &["demo-verify"]);
        edit(&root.join("src/lib.rs"), " * 1.0001", "");
        package
    })
}

impl Package {
    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.path(name)
    }

    /// Builds the package as it is now, into the target directory of these tests, and keeps the programs in a folder.
    fn build(&self, folder: &str, programs: &[&str]) {
        let begin = Instant::now();
        let built = Path::new(env!("CARGO_BIN_EXE_spectramind")).parent().expect("a folder");
        let release = built.ends_with("release").then_some("--release");
        let bins: Vec<_> = programs.iter().flat_map(|program| ["--bin", program]).collect();
        cargo(&self.path("demo"), &[&["build"], &bins[..], release.as_slice()].concat());
        std::fs::create_dir_all(self.path(folder)).expect("mkdir");
        for program in programs {
            std::fs::copy(built.join(program), self.path(folder).join(program)).expect("copy the program");
        }
        eprintln!("{folder}: built in {} s", begin.elapsed().as_secs());
    }

    /// One of the programs, in the package.
    fn program(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.prepare(Command::new(self.path(program)));
        command.current_dir(self.path("demo")).args(arguments);
        command
    }

    fn done(&self, program: &str, arguments: &[&str]) -> Outcome {
        let outcome = Outcome::of(&mut self.program(program, arguments));
        assert_eq!(outcome.code, 0, "{program} {arguments:?}\n{}{}", outcome.stdout, outcome.stderr);
        outcome
    }
}

/// Cargo, in the target directory of these tests.
fn cargo(package: &Path, arguments: &[&str]) {
    let target = Path::new(env!("CARGO_BIN_EXE_spectramind")).ancestors().nth(2).expect("a target directory");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let output = cargo.arg("--offline").args(arguments).current_dir(package).env("CARGO_TARGET_DIR", target).output();
    let output = output.expect("cargo starts");
    assert!(output.status.success(), "cargo {arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).expect("read");
    assert!(text.contains(from), "{}: no {from}", path.display());
    std::fs::write(path, text.replacen(from, to, 1)).expect("write");
}

/// A second person: a clone, a run directory and a public key, and nothing else.
fn second_person(package: &Package, run: &str) -> Sandbox {
    let person = Sandbox::empty();
    person.git(&["clone", "--quiet", &package.path("demo").display().to_string(), "clone"]);
    copy_tree(&package.path("demo").join(run), &person.path("run"));
    let key = package.done("bin/demo", &["keys", "show", "--public"]).stdout;
    std::fs::write(person.path("alice.pub"), key).expect("write");
    person
}

fn audit(person: &Sandbox, verifier: &Path) -> Outcome {
    let arguments = ["audit", "../run", "--key", "../alice.pub", "--program", "installed", "--replay"];
    Outcome::of(person.prepare(Command::new(verifier)).current_dir(person.path("clone")).args(arguments))
}

#[test]
fn a_second_person_replays_a_strangers_run_and_another_loss_fails_at_its_first_step() {
    let package = package();
    let outcome = package.done("bin/demo", &["train", "run.dir=runs/first"]);
    let score = field(&outcome.stdout, "score ");
    let accuracy = score.split(' ').nth(1).and_then(|figure| figure.trim_end_matches(',').parse::<f64>().ok());
    assert!(accuracy.is_some_and(|accuracy| accuracy > 0.9), "it learns something: {score}");

    // The command that was printed, as it was printed.
    let command = format!("{} --replay", field(&outcome.stdout, "verify "));
    assert!(command.contains("/demo-verify audit runs/first"), "{command}");
    let printed = Outcome::of(&mut package.program("/bin/bash", &["-c", &command]));
    assert_eq!(printed.code, 0, "{command}\n{}{}", printed.stdout, printed.stderr);

    let person = second_person(package, "runs/first");
    let outcome = audit(&person, &package.path("bin/demo-verify"));
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    for check in
        ["signature", "files", "steps", "record", "config", "git", "program", "data", "envelope", "end", "replay"]
    {
        assert!(outcome.stdout.contains(&format!("passed       {check}\n")), "{check}\n{}", outcome.stdout);
    }
    assert!(!outcome.stdout.contains("self-check"), "{}", outcome.stdout);
    assert!(!person.path("clone/data").exists(), "the images were made again elsewhere");

    let outcome = audit(&person, &package.path("changed/demo-verify"));
    assert_eq!(outcome.code, 1, "{}{}", outcome.stdout, outcome.stderr);
    let (_, found) = outcome.stdout.split_once("FAILED       replay\n").expect("the replay fails");
    assert!(found.contains("step 1,"), "{found}");

    // Ours does not know the workload, and says so.
    let outcome = audit(&person, &crate::sandbox::verifier());
    assert_eq!(outcome.code, 3, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains("the run is of \"shapes\""), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("not checked  config"), "which data it names is not known: {}", outcome.stdout);
}

#[test]
fn the_action_passes_on_a_clean_commit_and_names_the_step_at_which_a_changed_constant_shows() {
    let Some(python) = python_with("yaml") else { return };
    let package = package();
    let person = second_person(package, "configs");
    copy_tree(&repository().join("examples/own-workload/golden"), &person.path("clone/golden"));
    let run = |verifier: &str| {
        let verifier = package.path(verifier).display().to_string();
        run_action(&python, &person.path("clone"), &[("verifier", &verifier)])
    };
    let outcome = run("bin/demo-verify");
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    // One factor of the loss is another.
    let outcome = run("changed/demo-verify");
    assert_eq!(outcome.code, 1, "{}{}", outcome.stdout, outcome.stderr);
    let screen: String = outcome.stdout.lines().take(24).collect();
    assert!(screen.contains("step 1, lossBits: expected"), "{}", outcome.stdout);
    // Where the factor is a multiplication of its own, the expected step makes another op.
    let op = "step 1, op by op: the two sides do not make the same ops: number ";
    assert!(screen.contains(op) && screen.contains(", float_mul_scalar ["), "{}", outcome.stdout);
}

#[test]
fn with_ema_schedule_and_lookahead_a_killed_run_goes_on_with_the_same_bits() {
    let package = package();
    let long = |run| ["train", run, "trainer.max_epochs=20", "trainer.checkpoint.every_n_steps=4", "ema.from_step=3"];
    let config = package.done("bin/demo", &[&["config", "show", "--json"], &long("run.dir=x")[1..]].concat()).stdout;
    for part in ["\"lookahead\": {", "\"ema\": {", "\"name\": \"cosine\""] {
        assert!(config.contains(part) || config.contains(&part.replace(": ", ":")), "{part}\n{config}");
    }
    let whole = package.done("bin/demo", &long("run.dir=runs/whole"));

    let mut child = package.program("bin/demo", &long("run.dir=runs/killed"));
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    let begin = Instant::now();
    let log = package.path("demo/runs/killed/steps.jsonl");
    while std::fs::read(&log).map_or(0, |log| log.iter().filter(|&&byte| byte == b'\n').count()) < 30 {
        assert!(begin.elapsed() < Duration::from_secs(300), "no steps in time");
        assert!(child.try_wait().expect("wait").is_none(), "the run ended before it could be killed");
        std::thread::sleep(Duration::from_millis(1));
    }
    // SIGKILL: no chance to clean up.
    child.kill().expect("kill");
    child.wait().expect("wait");
    let resumed = package.done("bin/demo", &["train", "--resume", "runs/killed"]);
    assert!(resumed.stderr.contains("going on after step"), "{}", resumed.stderr);
    assert_eq!(field(&resumed.stdout, "step root "), field(&whole.stdout, "step root "));
    for file in ["steps.jsonl", "checkpoints/final.safetensors", "predictions.csv", "logs/metrics.csv"] {
        let bytes = |run: &str| std::fs::read(package.path("demo/runs").join(run).join(file)).expect("read");
        assert!(bytes("whole") == bytes("killed"), "{file}");
    }
    let outcome = audit(&second_person(package, "runs/killed"), &package.path("bin/demo-verify"));
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
}

#[test]
fn the_commands_of_its_readme_run() {
    let package = package();
    package.done("bin/demo", &["train", "run.dir=runs/shapes/stopped", "trainer.max_time=0"]);
    let readme = std::fs::read_to_string(package.path("demo/README.md")).expect("read");
    let block = |part: &str| part.split("```\n").next().expect("a block").to_owned();
    let mut ran = 0;
    for line in
        readme.split("```sh\n").skip(1).flat_map(|part| block(part).lines().map(str::to_owned).collect::<Vec<_>>())
    {
        let command = line.split("  #").next().expect("a beginning").trim();
        let command = command
            .replace("cargo run --bin demo-verify --", "../bin/demo-verify")
            .replace("cargo run --", "../bin/demo")
            .replace("shapes/RUN", "shapes/stopped")
            .replace("RUN", "runs/shapes/stopped");
        // It was built already.
        if command != "cargo build" {
            let outcome = Outcome::of(&mut package.program("/bin/bash", &["-c", &command]));
            assert_eq!(outcome.code, 0, "{line}, run as {command}\n{}{}", outcome.stdout, outcome.stderr);
            ran += 1;
        }
    }
    assert_eq!(ran, 6, "{readme}");
    assert!(package.path("alice.pub").is_file(), "outside of the work tree, which it would change");
}

#[test]
fn both_programs_go_by_their_own_names() {
    let package = package();
    for program in ["demo", "demo-verify"] {
        let path = format!("bin/{program}");
        let version = package.done(&path, &["--version"]).stdout;
        assert!(version.starts_with(&format!("{program} (with spectramind")), "{version}");
        let help = package.done(&path, &["--help"]).stdout;
        assert!(help.contains(&format!("Usage: {program} ")), "{help}");
    }
    let help = package.done("bin/demo", &["train", "--help"]).stdout;
    assert!(help.contains("Usage: demo train ") && help.contains("loss: cross_entropy, focal"), "{help}");
    package.done("bin/demo", &["config", "validate"]);
    let refused = Outcome::of(&mut package.program("bin/demo", &["train", "loss=focal", "loss.smoothing=0.1"]));
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    let registered = package.done("bin/demo", &["completion", "bash"]).stdout;
    assert!(registered.contains("bin/demo") && !registered.contains("spectramind "), "{registered}");
}

#[test]
fn a_name_that_is_none_and_a_folder_that_is_there_are_refused() {
    let sandbox = Sandbox::empty();
    for (name, said) in
        [("1st", "begins with '1'"), ("a/b", "'/'"), ("fn", "a word of Rust's"), ("serde", "its dependencies")]
    {
        let outcome = sandbox.run(&["new", name]);
        assert_eq!(outcome.code, 2, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(said) && outcome.stderr.contains("Hint: "), "{}", outcome.stderr);
    }
    std::fs::create_dir(sandbox.path("mine")).expect("mkdir");
    let outcome = sandbox.run(&["new", "mine"]);
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("mine: expected a new folder"), "{}", outcome.stderr);
    assert_eq!(std::fs::read_dir(sandbox.path("")).expect("list").count(), 1, "nothing was written");
}

#[test]
fn the_example_is_short_and_has_the_versions_and_profile_of_this_repository() {
    let example = repository().join("examples/own-workload");
    let read =
        |path: &Path| std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let code = |file: &str| {
        let text = read(&example.join("src").join(file));
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
    };
    let lines: usize = ["lib.rs", "main.rs", "verify.rs"].map(code).iter().sum();
    assert!(lines < 150, "{lines} lines of code");

    cargo(&example, &["metadata", "--locked", "--format-version=1"]);
    let packages = |path: PathBuf| -> BTreeSet<String> {
        let text = read(&path);
        let block = |block: &str| block.lines().take(2).collect::<Vec<_>>().join(" ");
        text.split("[[package]]\n").skip(1).map(block).collect()
    };
    let own = packages(example.join("Cargo.lock"));
    let others: Vec<_> = own.difference(&packages(repository().join("Cargo.lock"))).cloned().collect();
    let advice =
        "cp Cargo.lock examples/own-workload/ && cargo metadata --manifest-path examples/own-workload/Cargo.toml";
    assert_eq!(others, [r#"name = "own-workload" version = "0.1.0""#], "{advice}");

    // Another profile would have the tests build every dependency once more.
    let (ours, manifest) = (read(&repository().join("Cargo.toml")), read(&example.join("Cargo.toml")));
    let (_, profile) = manifest.split_once("[profile.dev]\n").expect("a profile");
    for line in profile.lines() {
        assert!(ours.lines().any(|ours| ours == line), "Cargo.toml has no {line}");
    }
}
