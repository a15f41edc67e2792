//! A folder of its own with our configs in a real git repository, a home of its own, and the two programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use spectramind::engine::device::{Device, Kind, devices};
use tempfile::TempDir;

/// Where a user works.
pub struct Sandbox {
    folder: TempDir,
}

/// How a program ended.
pub struct Outcome {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Sandbox {
    /// A copy of it, key and all.
    pub fn copy(&self) -> Self {
        let sandbox = Self { folder: tempfile::tempdir().expect("temp dir") };
        copy_tree(self.folder.path(), sandbox.folder.path());
        sandbox
    }

    /// One with nothing in it, and no repository.
    pub fn empty() -> Self {
        let sandbox = Self { folder: tempfile::tempdir().expect("temp dir") };
        std::fs::create_dir_all(sandbox.path("")).expect("work folder");
        sandbox
    }

    /// A new one, with the configs committed.
    pub fn new() -> Self {
        let sandbox = Self::empty();
        copy_tree(&repository().join("configs"), &sandbox.path("configs"));
        std::fs::copy(repository().join(".gitignore"), sandbox.path(".gitignore")).expect("copy .gitignore");
        sandbox.git(&["init", "--quiet", "--initial-branch=main"]);
        sandbox.git(&["add", "--all"]);
        sandbox.git(&["commit", "--quiet", "--message=configs"]);
        sandbox
    }

    /// A new one with the simulated and calibrated data already in it, which take a while to make. They count as data
    /// from outside, which a replay reads; with `data.simulation=tiny` it makes them again, which takes as long.
    pub fn with_data() -> Self {
        let sandbox = Self::of_raw_data();
        copy_tree(&trained().path("data"), &sandbox.path("data"));
        sandbox
    }

    /// A new one whose configs say that its data come from outside.
    fn of_raw_data() -> Self {
        let sandbox = Self::new();
        let path = sandbox.path("configs/data/sim_tiny.yaml");
        let text = std::fs::read_to_string(&path).expect("read").replace("simulation: tiny", "simulation: null");
        std::fs::write(path, text).expect("write");
        sandbox.git(&["commit", "--quiet", "--all", "--message=raw data"]);
        sandbox
    }

    /// A path inside it.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    /// Runs git in it, apart from any configuration of the machine.
    pub fn git(&self, arguments: &[&str]) {
        std::fs::create_dir_all(self.path("")).expect("work folder");
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
        let output = self.prepare(Command::new("git")).args(identity).args(arguments).output().expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// `spectramind` with these arguments, to be changed and run.
    pub fn spectramind(&self, arguments: &[&str]) -> Command {
        let mut command = self.prepare(Command::new(env!("CARGO_BIN_EXE_spectramind")));
        command.args(arguments);
        command
    }

    /// `spectramind-verify` with these arguments.
    pub fn verify(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.prepare(Command::new(verifier())).args(arguments))
    }

    /// The audit of the run in `run`. The repository here holds the configs and no program: it counts as installed.
    pub fn audit(&self, more: &[&str]) -> Outcome {
        self.verify(&[&["audit", "run", "--program", "installed"], more].concat())
    }

    /// Runs `spectramind`.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.spectramind(arguments))
    }

    /// Runs `spectramind` and expects it to do its work.
    pub fn done(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, 0, "{arguments:?}\n{}{}", outcome.stdout, outcome.stderr);
        outcome
    }

    /// A command in the sandbox, with its home and without the environment of the test.
    pub fn prepare(&self, mut command: Command) -> Command {
        command
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path().join("home"))
            .env("XDG_CONFIG_HOME", self.folder.path().join("home/.config"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null");
        command
    }
}

impl Outcome {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("programs print UTF-8");
        Self { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
    }
}

/// The checkout under test.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The verifier, built by the same `cargo test --workspace` into the same folder.
pub fn verifier() -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_spectramind")).with_file_name("spectramind-verify");
    assert!(beside.is_file(), "{} is missing: run the tests as README says, with --workspace", beside.display());
    beside
}

/// The material shared between the parts of the project.
pub fn shared(what: &str) -> Option<PathBuf> {
    let path = repository().join("../shared").join(what);
    present("shared", path.exists(), &format!("{} (the project's shared material)", path.display())).then_some(path)
}

/// The Vulkan devices of this machine, software ones too.
pub fn vulkan() -> Vec<Device> {
    let found = devices(Kind::Wgpu);
    present("vulkan", found.is_ok(), "a Vulkan driver (Debian: mesa-vulkan-drivers) and the feature wgpu");
    found.unwrap_or_default()
}

/// Whether something a test needs is there. Without it the test says so and is skipped, unless
/// `SPECTRAMIND_REQUIRE` lists it, as CI does.
pub fn present(need: &str, is_there: bool, what: &str) -> bool {
    if !is_there {
        let required = std::env::var("SPECTRAMIND_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|required| required == need), "required and absent: {what}");
        eprintln!("SKIPPED: absent: {what}");
    }
    is_there
}

/// A Python that can import these modules, `a, b`: `SPECTRAMIND_PYTHON`, or `python3`.
pub fn python_with(modules: &str) -> Option<PathBuf> {
    let python = std::env::var_os("SPECTRAMIND_PYTHON").map_or_else(|| "python3".into(), PathBuf::from);
    let import = Command::new(&python).args(["-c", &format!("import {modules}")]).output();
    let works = import.is_ok_and(|output| output.status.success());
    present("python", works, &format!("a Python with {modules} (SPECTRAMIND_PYTHON)")).then_some(python)
}

/// Copies a folder with everything in it.
pub fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("create folder");
    for entry in std::fs::read_dir(from).expect("list folder") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copy file");
        }
    }
}

/// A sandbox in which `train trainer=ci_fast run.dir=run` has been run once, for tests that only look.
pub fn trained() -> &'static Sandbox {
    static TRAINED: OnceLock<Sandbox> = OnceLock::new();
    TRAINED.get_or_init(|| {
        let sandbox = Sandbox::of_raw_data();
        sandbox.done(&["simulate"]);
        sandbox.done(&["train", "trainer=ci_fast", "run.dir=run"]);
        sandbox
    })
}

/// The same of a run whose data are simulated: all that it read is derived from its config.
pub fn simulated() -> &'static Sandbox {
    static SIMULATED: OnceLock<Sandbox> = OnceLock::new();
    SIMULATED.get_or_init(|| {
        let sandbox = Sandbox::with_data();
        sandbox.done(&["train", "trainer=ci_fast", "run.dir=run", "data.simulation=tiny"]);
        sandbox
    })
}

/// A copy of the trained sandbox, key and all, for tests that break something.
pub fn trained_copy() -> Sandbox {
    trained().copy()
}

/// The line of a program's output that begins with `name`, without it.
pub fn field<'a>(stdout: &'a str, name: &str) -> &'a str {
    let line = stdout.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no line {name:?} in\n{stdout}")).trim()
}
