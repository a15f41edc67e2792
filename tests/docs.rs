//! What the documentation says is true: its commands run, its links, paths, options and config keys exist, and the tests it
//! names are there.
//!
//! A command is a line of a block marked `sh`, an indented line, or a text in backticks that begins with the name of a
//! program. It runs in a sandbox of its section, in the order of the page, with [`PLACEHOLDERS`] filled in; or
//! [`ELSEWHERE`] says who runs it. A name of a command alone is asked for `--help`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use spectramind::config::{Composer, Config, SearchPath};

use crate::sandbox::{Outcome, Sandbox, copy_tree, repository, trained_copy, verifier};

/// Commands that cannot run here, by their beginning: why, and a file with the words in it that run them.
const ELSEWHERE: &[(&str, &str, &str, &str)] = &[
    ("cargo build --release", "builds everything anew", ".ci/run", "grep -m1 '^cargo build --release' README.md"),
    ("cargo test -p repro-ranks", "is part of what runs this test", ".ci/run", "grep -m1 '^cargo test' README.md"),
    ("cargo test --workspace", "is what runs this test", ".ci/run", "grep -m1 '^cargo test' README.md"),
    (
        "cargo run --package hydra-compose --example",
        "would build it again",
        "crates/hydra-compose/examples/compose.rs",
        "a_config_is_printed_with_what_set_each_key",
    ),
    ("git clone", "needs the network", ".github/workflows/weekly.yml", "run: git clone"),
    ("tests/burn/run.sh", "needs Burn's sources", ".github/workflows/weekly.yml", "run: tests/burn/run.sh"),
    ("pip install --no-index ./spectramind", "needs a release", "release/try-wheel.sh", "--no-index"),
    ("sha256sum --check", "needs a release", ".github/workflows/release.yml", "sha256sum --check"),
    ("tar xf spectramind", "needs a release", "tests/install.rs", "pkg-url"),
    ("gh attestation", "needs a release", ".github/workflows/release.yml", "attest-build-provenance"),
    ("cargo binstall", "needs a release", "tests/install.rs", "pkg-url"),
    ("docker ", "needs Docker", "release/Dockerfile", "docker build --file release/Dockerfile --tag spectramind ."),
    ("release/build.sh", "builds everything anew", ".github/workflows/release.yml", "run: release/build.sh"),
    ("git tag", "makes a release", ".github/workflows/release.yml", "tags: [\"v*\"]"),
    ("pip install hydra-core", "needs the network", "tests/python/requirements.in", "hydra-core==1.3.2"),
    ("SPECTRAMIND_UPDATE=1 cargo test", "writes into the tree", ".ci/run", "grep -m1 '^cargo test' README.md"),
    (
        "cargo install cargo-fuzz",
        "needs a nightly toolchain",
        ".github/workflows/weekly.yml",
        "cargo +nightly fuzz run",
    ),
    ("cargo +nightly fuzz", "needs a nightly toolchain", ".github/workflows/weekly.yml", "cargo +nightly fuzz run"),
    ("target=yaml", "is for the commands after it", ".github/workflows/weekly.yml", "cargo +nightly fuzz run"),
    ("cargo build", "builds a package of its own", "tests/own_workload.rs", "fn the_commands_of_its_readme_run"),
    ("cargo run", "is of a package of its own", "tests/own_workload.rs", "fn the_commands_of_its_readme_run"),
    ("spectramind completion fish |", "is fish's", "tests/hydra.rs", "spectramind completion fish | source"),
    (
        "mpirun -n 16",
        "needs an MPI",
        "tests/ranks.rs",
        r#"["train", "trainer=ddp", "trainer.devices=8", "trainer.num_nodes=2"]"#,
    ),
    ("srun --mpi=pmix", "needs Slurm", "tests/cluster.sh", "examples/launch/ddp.sbatch"),
    ("spectramind export mlflow", "needs a server", "tests/export.rs", "fn an_export_that_breaks_anywhere_goes_on"),
    ("spectramind keys generate --encrypted", "asks for a passphrase", "tests/keys.rs", "generate --encrypted"),
];

/// What a command shows that only its reader knows, and what it is in the sandbox. For one section, or for all.
const PLACEHOLDERS: &[(&str, &str, &str)] = &[
    ("", "target/release/", ""),
    // The sandbox has the configs, and not the sources of the program.
    ("", "spectramind-verify audit", "spectramind-verify audit --program installed"),
    // Tiny data are trained on for one step instead of fifty epochs.
    ("", "train trainer=defaults", "train trainer.limit_train_batches=1 trainer=defaults"),
    ("", "trainer.max_epochs=30", "trainer.max_epochs=1"),
    ("", "train trainer=kaggle_safe", "train trainer=kaggle_safe trainer.max_epochs=1"),
    ("", "train trainer=multi_gpu", "train trainer.limit_train_batches=1 trainer.max_epochs=1 trainer=multi_gpu"),
    ("A tour", "--resume runs/ariel/<run>", "--resume stopped"),
    ("When something goes wrong", "--resume runs/ariel/<run>", "--resume stopped"),
    ("Trainer profiles: quickstart", "--resume runs/ariel/<run>", "--resume stopped"),
    ("Three users", "<run>", "$(ls runs/ariel | head -n 1)"),
    ("A tour", "<run>", "$(ls runs/ariel | head -n 1)"),
    ("A tour", "data.root=DIR", "data.root=data/sim_tiny calib=tiny"),
    ("A tour", "RUN --key PUB.pem", "runs/ariel/$(ls runs/ariel | head -n 1) --key pub.pem"),
    ("Auditing", "RUN --key PUB.pem", "run --key pub.pem"),
    ("Auditing", "--repository CLONE --data ariel=DIR", "--repository . --data sim_tiny=data/sim_tiny"),
    // It is shown with it.
    ("The first run", "audit --program installed runs", "audit runs"),
    ("The first run", "git commit", "git -c user.name=Test -c user.email=test@example.org commit"),
    ("The first run", "runs/ariel/RUN", "runs/ariel/$(ls runs/ariel | head -n 1)"),
    ("Running it again", "RUN --key PUB.pem", "run --key pub.pem"),
    ("Configuration", "DIR [--config-name NAME] [-m] [--] [OVERRIDE…]", "configs"),
    ("Looking at a tree", "-cp DIR -cn NAME", "-cp conf -cn app"),
    ("Looking at a tree", "--config-dir DIR -cn NAME", "--config-dir conf -cn app"),
    ("Looking at a tree", "--schema FILE", "--schema schema.json"),
    ("How to add a profile", "<name>", "ci_fast"),
];

/// What only looks like a key of a config, with what it is.
const NO_KEYS: &[(&str, &str)] = &[
    ("data.roots", "a rule of a policy"),
    ("key=extend_list(a,b)", "any key"),
    ("db=a,b", "a key of the tree in question"),
];

/// A page of the documentation.
pub struct Page {
    /// Below the repository.
    pub path: String,
    text: String,
}

/// Where something stands.
#[derive(Clone)]
struct Place {
    page: String,
    line: usize,
    section: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.page, self.line)
    }
}

/// A command, or a text in backticks.
struct Shown {
    place: Place,
    text: String,
}

/// The pages that a user reads.
pub fn pages() -> Vec<Page> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("list folder") {
            let path = entry.expect("entry").path();
            if path.is_dir()
                && path.file_name().is_some_and(|name| name != "target" && name != "corpus" && name != "runs")
            {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    let mut paths = vec![repository().join("README.md")];
    for folder in ["docs", "configs", "golden", "crates", "examples", "fuzz"] {
        walk(&repository().join(folder), &mut paths);
    }
    // A page that is part of another, rendered from the code.
    paths.retain(|path| !path.ends_with("src/table.md"));
    paths.sort();
    paths.iter().map(|path| Page { path: below(path), text: read(path) }).collect()
}

fn below(path: &Path) -> String {
    path.strip_prefix(repository()).expect("below the repository").display().to_string()
}

pub fn read(path: impl AsRef<Path>) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Page {
    /// The lines of commands, and the texts in backticks elsewhere, in the order of the page.
    fn parts(&self) -> (Vec<Shown>, Vec<Shown>) {
        let (mut lines, mut spans) = (Vec::new(), Vec::new());
        let mut place = Place { page: self.path.clone(), line: 0, section: String::new() };
        let mut block: Option<bool> = None;
        let (mut command, mut prose) = (String::new(), String::new());
        for line in self.text.lines() {
            place.line += 1;
            if let Some(kind) = line.strip_prefix("```") {
                block = if block.is_some() { None } else { Some(kind == "sh") };
                prose.clear();
                continue;
            }
            let shell = block == Some(true) || block.is_none() && line.starts_with("    ") && !line.trim().is_empty();
            if shell && (block.is_some() || PROGRAMS.iter().any(|program| line.trim().starts_with(program))) {
                let line =
                    line.split("  #").next().expect("a beginning").split(" # ").next().expect("a beginning").trim();
                command += line.strip_suffix('\\').unwrap_or(line);
                if !line.ends_with('\\') && !command.is_empty() && !line.starts_with('#') {
                    lines.push(Shown { place: place.clone(), text: std::mem::take(&mut command) });
                }
            } else if block.is_none() {
                if line.starts_with('#') {
                    place.section = line.trim_start_matches('#').trim().to_owned();
                }
                // A text in backticks may go on in the next line of its paragraph.
                if line.is_empty() || line.starts_with('|') {
                    prose.clear();
                }
                prose += line;
                if prose.matches('`').count().is_multiple_of(2) {
                    let texts = prose.split('`').skip(1).step_by(2);
                    spans.extend(texts.map(|text| Shown { place: place.clone(), text: text.to_owned() }));
                    prose.clear();
                } else {
                    prose.push(' ');
                }
            }
        }
        (lines, spans)
    }
}

/// What a command in the text begins with.
const PROGRAMS: [&str; 9] = [
    "openssl ",
    "spectramind ",
    "spectramind-verify ",
    "cargo ",
    "git clone",
    "tests/burn/run.sh ",
    "source ",
    "SPECTRAMIND_UPDATE=1 ",
    "pip install",
];

/// All commands of a page, in order.
fn commands(page: &Page) -> Vec<Shown> {
    let (mut lines, spans) = page.parts();
    lines.extend(spans.into_iter().filter(|span| PROGRAMS.iter().any(|program| span.text.starts_with(program))));
    lines.sort_by_key(|shown| shown.place.line);
    lines
}

/// A folder in which the commands of a section find what they name.
fn prepared(place: &Place) -> Sandbox {
    let public = |sandbox: &Sandbox| {
        let public = sandbox.done(&["keys", "show", "--public"]).stdout;
        std::fs::write(sandbox.path("pub.pem"), public).expect("write");
    };
    match place.section.as_str() {
        "A tour" | "Three users" => {
            let sandbox = trained_copy();
            public(&sandbox);
            for key in ["root", "mine"] {
                sandbox.done(&["keys", "generate", "--out", &format!("{key}.pem")]);
            }
            let trust = ["keys", "trust"];
            sandbox.done(&[&trust[..], &["init", "--root-key", "root.pem", "--out", "trust.json"]].concat());
            for (name, key, role) in [("t", "pub.pem", "trainer"), ("v", "mine.pub.pem", "verifier")] {
                let add = ["add", "--name", name, "--key", key, "--role", role, "--root-key", "root.pem"];
                sandbox.done(&[&trust[..], &add].concat());
            }
            std::fs::write(sandbox.path("policy.yaml"), "numerics: {min_version: 1}\n").expect("write");
            std::fs::write(sandbox.path("train.py"), "open('out.txt', 'w').write('trained')\n").expect("write");
            sandbox.done(&["train", "trainer=ci_fast", "run.dir=stopped", "trainer.max_time=0"]);
            copy_tree(&repository().join("golden"), &sandbox.path("golden"));
            sandbox
        }
        "Keys" => {
            let sandbox = trained_copy();
            sandbox.done(&["keys", "generate", "--out", "own.pem"]);
            std::fs::rename(sandbox.path("own.pub.pem"), sandbox.path("alice.pub")).expect("rename");
            sandbox
        }
        "Auditing" => {
            let sandbox = trained_copy();
            public(&sandbox);
            sandbox
        }
        "Looking at a tree" => {
            let sandbox = Sandbox::new();
            std::fs::create_dir_all(sandbox.path("conf/db")).expect("mkdir");
            let files = [
                ("conf/app.yaml", "defaults: [db: a, _self_]\nurl: ${db.host}:80\n"),
                ("conf/db/a.yaml", "host: a\n"),
                ("conf/db/b.yaml", "host: b\n"),
                ("schema.json", r#"{"type": "object", "required": ["url"]}"#),
            ];
            for (path, text) in files {
                std::fs::write(sandbox.path(path), text).expect("write");
            }
            sandbox
        }
        "Programs of your own" | "Running it again" => {
            let sandbox = Sandbox::new();
            let program = "import sys\nopen(sys.argv[4] + '/out.txt', 'w').write(open(sys.argv[2]).read())\n";
            for (path, text) in [("train.py", program), ("configs/exec.yaml", "seed: 0\n")] {
                std::fs::write(sandbox.path(path), text).expect("write");
            }
            sandbox.git(&["add", "--all"]);
            sandbox.git(&["commit", "--quiet", "--message=program"]);
            if place.section == "Running it again" {
                let words = ["--", "python3", "train.py", "--config", "{config}", "--out", "{run}"];
                sandbox.done(&[&["exec", "hydra.run.dir=run"], &words[..]].concat());
                public(&sandbox);
            }
            sandbox
        }
        "The first run" => Sandbox::empty(),
        "Run it twice" => {
            let sandbox = Sandbox::new();
            std::fs::write(sandbox.path("train.py"), "open('out.txt', 'w').write('trained')\n").expect("write");
            sandbox
        }
        "When something goes wrong" | "Trainer profiles: quickstart" => {
            let sandbox = Sandbox::with_data();
            sandbox.done(&["train", "trainer=ci_fast", "run.dir=stopped", "trainer.max_time=0"]);
            sandbox
        }
        "Golden cases" => {
            let sandbox = Sandbox::new();
            copy_tree(&repository().join("golden"), &sandbox.path("golden"));
            sandbox
        }
        _ => Sandbox::with_data(),
    }
}

/// Whether a command is the name of one of ours and nothing more: `spectramind keys show`.
fn is_name(command: &str) -> bool {
    let plain = |word: &str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-');
    command.starts_with("spectramind") && command.split(' ').all(plain)
}

#[test]
fn every_command_that_a_page_shows_runs_or_is_run_elsewhere() {
    let mut sandboxes: BTreeMap<(String, String), Sandbox> = BTreeMap::new();
    let (mut wrong, mut ran, mut unused) = (Vec::new(), 0, BTreeSet::from_iter(0..ELSEWHERE.len()));
    let folder = Path::new(env!("CARGO_BIN_EXE_spectramind")).parent().expect("a folder");
    assert!(verifier().starts_with(folder));
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    for page in pages() {
        for Shown { place, text } in commands(&page) {
            if let Some(index) = ELSEWHERE.iter().position(|(begin, ..)| text.starts_with(begin)) {
                unused.remove(&index);
                continue;
            }
            let mut command = text.clone();
            for (section, from, to) in PLACEHOLDERS {
                if section.is_empty() || *section == place.section {
                    command = command.replace(from, to);
                }
            }
            // In a block of commands even a bare name is run.
            let in_text = page.text.contains(&format!("`{text}`"));
            if in_text && is_name(&text) {
                command += " --help";
            }
            let key = (place.page.clone(), place.section.clone());
            let sandbox = sandboxes.entry(key).or_insert_with(|| prepared(&place));
            let mut shell = sandbox.prepare(Command::new("bash"));
            let outcome = Outcome::of(shell.args(["-euo", "pipefail", "-c", &command]).env("PATH", &path));
            ran += 1;
            if outcome.code != 0 {
                wrong.push(format!(
                    "{place}: {text}\n  run as: {command}\n  exit {}\n{}{}",
                    outcome.code, outcome.stdout, outcome.stderr
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ran > 30, "{ran} commands ran");
    let unused: Vec<_> = unused.into_iter().map(|index| ELSEWHERE[index].0).collect();
    assert!(unused.is_empty(), "no page shows {unused:?}");
}

#[test]
fn what_does_not_run_here_runs_where_the_list_says() {
    for (command, why, file, words) in ELSEWHERE {
        assert!(read(file).contains(words), "{command} {why}; {file} does not have {words:?}");
    }
}

#[test]
fn every_link_and_every_path_that_a_page_names_exists() {
    let top: BTreeSet<String> = std::fs::read_dir(repository())
        .expect("list")
        .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !matches!(name.as_str(), "target" | "data" | "runs" | ".git"))
        .collect();
    let mut checked = 0;
    for page in pages() {
        let folder = repository().join(&page.path).parent().expect("a folder").to_owned();
        for (number, line) in page.text.lines().enumerate() {
            for (at, _) in line.match_indices("](") {
                let target = line[at + 2..].split(')').next().expect("a beginning");
                let file = target.split('#').next().expect("a beginning");
                if !target.contains("://") && !file.is_empty() {
                    assert!(folder.join(file).exists(), "{}:{}: there is no {target}", page.path, number + 1);
                    checked += 1;
                }
            }
        }
        for Shown { place, text } in page.parts().1 {
            let first = text.split('/').next().expect("a beginning");
            let in_crate = page.path.starts_with("crates/") && first == "src";
            if !text.contains('/')
                || text.contains([' ', '*', '<', '{', '|', '…'])
                || !(top.contains(first) || in_crate)
            {
                continue;
            }
            // Of a folder of a crate, or of the repository.
            let found = folder
                .ancestors()
                .take_while(|folder| folder.starts_with(repository()))
                .any(|at| at.join(&text).exists());
            // What a command of the page makes.
            assert!(found || text.starts_with("fuzz/artifacts"), "{place}: there is no {text}");
            checked += 1;
        }
    }
    assert!(checked > 60, "{checked} links and paths");
}

/// Every option of both programs.
fn options() -> BTreeSet<String> {
    fn collect(program: &Path, commands: &[String], found: &mut BTreeSet<String>) {
        let outcome = Outcome::of(Command::new(program).args(commands).arg("--help").current_dir(repository()));
        assert_eq!(outcome.code, 0, "{commands:?}: {}", outcome.stderr);
        let words = outcome.stdout.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        found.extend(words.filter(|word| word.starts_with("--")).map(str::to_owned));
        let (_, list) = outcome.stdout.split_once("Commands:\n").unwrap_or_default();
        for line in list.lines().take_while(|line| line.starts_with("  ")) {
            let name = line.trim().split(' ').next().expect("a word").to_owned();
            if line.starts_with("  ") && !line.starts_with("   ") && name != "help" {
                collect(program, &[commands, &[name]].concat(), found);
            }
        }
    }
    let mut found = BTreeSet::new();
    collect(Path::new(env!("CARGO_BIN_EXE_spectramind")), &[], &mut found);
    collect(&verifier(), &[], &mut found);
    found
}

#[test]
fn every_option_that_a_page_names_is_one_of_our_programs() {
    let options = options();
    assert!(options.len() > 60, "{options:?}");
    for page in pages().iter().filter(|page| !page.path.starts_with("fuzz")) {
        for Shown { place, text } in page.parts().1 {
            if text.starts_with("--") {
                for option in text.split([' ', '=']).filter(|word| word.starts_with("--") && word.len() > 2) {
                    assert!(options.contains(option), "{place}: no program has {option}");
                }
            }
        }
    }
}

/// Our primary configs, each composed, and what composes them.
fn primaries() -> (Composer, Vec<(String, Config)>) {
    let directory = repository().join("configs");
    let composer = Composer::new(SearchPath::of_directory(&directory)).now(jiff::Zoned::now()).cwd(repository());
    let names = std::fs::read_dir(&directory).expect("list").filter_map(|entry| {
        let name = entry.expect("entry").file_name().into_string().expect("UTF-8");
        name.strip_suffix(".yaml").map(str::to_owned)
    });
    let composed = names.map(|name| {
        let config = composer.compose(name.as_str(), &[""; 0]).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, config)
    });
    let composed = composed.collect();
    (composer, composed)
}

#[test]
fn every_key_and_every_override_that_a_page_shows_composes() {
    let (composer, primaries) = primaries();
    let is_key = |path: &str| {
        path.split('.').all(|part| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_/".contains(c))
        })
    };
    let mut checked = 0;
    for page in pages() {
        let others = ["crates/", "examples/own-workload/", "docs/mutations.md"];
        let foreign = others.iter().any(|begin| page.path.starts_with(begin));
        for Shown { place, text } in page.parts().1 {
            if foreign || NO_KEYS.iter().any(|(known, _)| *known == text) {
                continue;
            }
            let words: Vec<&str> = text.split(' ').collect();
            let overrides = words.iter().all(|word| word.split_once('=').is_some_and(|(key, _)| is_key(key)));
            if overrides {
                let errors: Vec<String> = primaries
                    .iter()
                    .map_while(|(name, _)| {
                        composer.compose(name.as_str(), &words).err().map(|error| format!("{name}: {error}"))
                    })
                    .collect();
                assert!(errors.len() < primaries.len(), "{place}: {text}\n{}", errors.join("\n"));
                checked += 1;
            } else if text.contains('.') && is_key(&text) {
                let is_file =
                    [".yaml", ".json", ".jsonl", ".md", ".csv"].iter().any(|extension| text.ends_with(extension));
                let first = text.split('.').next().expect("a beginning");
                let ours = first == "hydra" || primaries.iter().any(|(_, config)| config.value().get(first).is_some());
                if ours && !is_file {
                    let known = primaries.iter().any(|(_, config)| config.explain(&text).is_ok());
                    assert!(known, "{place}: no config has {text}");
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 15, "{checked} keys and overrides");
}

/// The names of all test functions below a folder: those that follow a line `#[test]`, or stand in a `proptest!`.
fn test_functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("list folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            test_functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("read");
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                if let Some(rest) = line.strip_prefix("fn ").filter(|_| is_test) {
                    found.extend(rest.split(['(', '<']).next().map(str::to_owned));
                }
                is_test = line == "#[test]" || is_test && line.starts_with("#[");
            }
        }
    }
}

#[test]
fn every_threat_has_tests_that_exist() {
    let mut tests = BTreeSet::new();
    for folder in ["src", "crates", "tests"] {
        test_functions(&repository().join(folder), &mut tests);
    }
    assert!(tests.len() > 500, "{} tests", tests.len());
    let page = std::fs::read_to_string(repository().join("docs/what-an-audit-proves.md")).expect("read");
    let (_, table) = page.split_once("| threat | defence | tests |\n").expect("the table");
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let mut threats = 0;
    for row in rows {
        let column = row.trim_end_matches('|').rsplit('|').next().expect("a column");
        let named: Vec<_> = column.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test is named: {row}");
        for name in named {
            assert!(tests.contains(name), "there is no test {name}: {row}");
        }
        threats += 1;
    }
    assert!(threats >= 14, "{threats} threats: the contract names 14");
}
