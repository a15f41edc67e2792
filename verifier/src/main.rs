//! `spectramind-verify`: lets a stranger re-check a run. Arguments, wording, replay and exit codes; the checks are the
//! library's.

mod demands;
#[cfg(feature = "replay")]
mod golden;
#[cfg(feature = "replay")]
mod replay;
mod report;
mod sign;
mod trust;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use spectramind::config::{Composer, Config, ErrorKind, SearchPath};
#[cfg(feature = "replay")]
use spectramind::engine::device;
use spectramind::envelope::Bounds;
use spectramind::manifest::dsse::Profile;
use spectramind::manifest::trust::{Role, Trust};
use spectramind::manifest::verdict::ReplayRecord;
use spectramind::provenance::environment::BuiltFrom;
use spectramind::verify::text::shown;
use spectramind::verify::{
    Check, ConfigsPlace, DataPlaces, Derived, GitEvidence, PolicyError, ProgramPlace, Report, SignedData, SignedRun,
    TrainedAgain, Unsigned, Verdict, VerifiedRun, check_verdict,
};

/// Every requested check passed.
const PASSED: u8 = 0;
/// A check failed.
const FAILED: u8 = 1;
/// The arguments are wrong; what clap exits with, too.
const USAGE: u8 = 2;
/// Something could not be checked.
const NOT_CHECKED: u8 = 3;
/// A bug in this program.
const BUG: u8 = 70;

/// Re-check a spectramind run: signature, config, sources, data, limits, and a replay, bit for bit.
///
/// Exit codes: 0 every requested check passed; 1 a check failed; 2 wrong arguments; 3 something could not be checked
/// (file missing, backend not compiled in); 70 a bug. "Not checked" is never 0.
#[derive(Parser)]
#[command(version, about, max_term_width = 120)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    outputs: report::Outputs,
}

#[derive(Subcommand)]
enum Command {
    /// The signature, every signed file and none besides, the step log, and the record against itself
    Manifest {
        #[command(flatten)]
        run: RunArguments,
        #[command(flatten)]
        files: FileArguments,
    },
    /// The config, composed again from its sources
    Config {
        #[command(flatten)]
        run: RunArguments,
        #[command(flatten)]
        sources: SourceArguments,
    },
    /// The sources: commit, tree, uncommitted changes, and whether the commit holds the configs
    Git {
        #[command(flatten)]
        run: RunArguments,
        #[command(flatten)]
        sources: SourceArguments,
    },
    /// The data, hashed again
    Data {
        #[command(flatten)]
        run: RunArguments,
        #[command(flatten)]
        sources: SourceArguments,
        #[command(flatten)]
        data: DataArguments,
    },
    /// The limits, judged by the recorded figures
    Envelope {
        #[command(flatten)]
        run: RunArguments,
        #[command(flatten)]
        limits: LimitArguments,
    },
    /// Train again from the verified data and compare every step and file, bit for bit
    Replay {
        #[command(flatten)]
        run: RunArguments,
        #[command(flatten)]
        sources: SourceArguments,
        #[command(flatten)]
        data: DataArguments,
        #[command(flatten)]
        device: DeviceArguments,
        #[command(flatten)]
        sample: SampleArguments,
    },
    /// All of the above
    Audit {
        #[command(flatten)]
        run: RunArguments,
        #[command(flatten)]
        files: FileArguments,
        #[command(flatten)]
        sources: SourceArguments,
        #[command(flatten)]
        program: ProgramArguments,
        #[command(flatten)]
        data: DataArguments,
        #[command(flatten)]
        limits: LimitArguments,
        /// Train again and compare every step and file, too
        #[arg(long)]
        replay: bool,
        #[command(flatten)]
        device: DeviceArguments,
        #[command(flatten)]
        sign: sign::Signing,
    },
    /// What a verifier signed about a run: by whom, about exactly this manifest, that every check passed and the run was
    /// trained again; and whether the manifest is signed by a trainer who is trusted now
    Verdict {
        /// The run directory
        run: PathBuf,
        #[command(flatten)]
        trust: trust::Arguments,
        /// The trainer's public key, which the manifest has to carry, beside that of the verifier (--key)
        #[arg(long, value_name = "PUB", conflicts_with = "trust")]
        trainer_key: Option<PathBuf>,
        #[command(flatten)]
        files: FileArguments,
        #[command(flatten)]
        profile: ProfileArguments,
        /// The signed verdict [default: verdict.intoto.jsonl in the run directory]
        #[arg(long, value_name = "FILE")]
        verdict: Option<PathBuf>,
    },
    /// Run the golden cases and compare their digests
    Golden {
        /// Folder of the cases
        #[arg(default_value = "golden")]
        golden: PathBuf,
        /// Folder of the primary configs
        #[arg(long, value_name = "DIR", default_value = "configs")]
        configs: PathBuf,
        #[command(flatten)]
        device: DeviceArguments,
        /// Write the digests instead of comparing them; a change needs a CHANGELOG line that says why
        #[arg(long)]
        update: bool,
    },
}

#[derive(Args)]
struct RunArguments {
    /// The run directory
    run: PathBuf,
    #[command(flatten)]
    trust: trust::Arguments,
    #[command(flatten)]
    profile: ProfileArguments,
    #[command(flatten)]
    demands: demands::DemandArguments,
}

#[derive(Args)]
struct ProfileArguments {
    /// Accept an envelope only in the very bytes that spectramind writes, without signatures of unknown keys [default]
    #[arg(long, conflicts_with = "tolerant")]
    strict: bool,
    /// Accept an envelope in any spelling that DSSE allows, and beside signatures of unknown keys
    #[arg(long)]
    tolerant: bool,
}

#[derive(Args)]
struct FileArguments {
    /// Let files lie in the run directory that nobody signed: a pattern as in .gitignore, such as `submission.csv`
    #[arg(long = "allow-unsigned", value_name = "PATTERN")]
    allow_unsigned: Vec<String>,
}

#[derive(Args)]
struct SourceArguments {
    /// Work tree of the sources; configs and data are looked for in it, where the record says
    #[arg(long, value_name = "DIR", default_value = ".")]
    repository: PathBuf,
    /// Folder of the primary configs [default: configs in the repository]
    #[arg(long, value_name = "DIR")]
    configs: Option<PathBuf>,
    /// Let configs lie outside the repository, whose commit then says nothing of them
    #[arg(long)]
    configs_elsewhere: bool,
    /// A value of an environment variable that the config reads and the record withholds; without =VALUE, your own
    #[arg(long = "env", value_name = "NAME[=VALUE]", value_parser = variable)]
    variables: Vec<(String, String)>,
}

#[derive(Args)]
struct ProgramArguments {
    /// Where the sources of the program that trained are
    #[arg(long, value_enum, default_value_t = Program::Recorded)]
    program: Program,
}

#[derive(Clone, Copy, ValueEnum)]
enum Program {
    /// In the recorded repository: it was built from the recorded commit
    Recorded,
    /// Elsewhere: it was installed, and is the one that this verifier was built with
    Installed,
}

#[derive(Args)]
struct DataArguments {
    /// Where a data set is, by its recorded name [default: where the record says]
    #[arg(long = "data", value_name = "NAME=DIR", value_parser = named_folder)]
    roots: Vec<(String, PathBuf)>,
}

#[derive(Args)]
struct DeviceArguments {
    /// Where to train again: a run in portable numerics replays anywhere, one in native numerics where it was made
    #[arg(long, value_enum, default_value_t = Accelerator::Cpu)]
    accelerator: Accelerator,
}

#[derive(Args)]
struct SampleArguments {
    /// Train only so many randomly chosen stretches between kept checkpoints again; the report says what that finds
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    sample: Option<u32>,
    /// Choose the stretches by this number, which the trainer must not know before signing [default: a random one]
    #[arg(long, requires = "sample")]
    seed: Option<u64>,
}

/// The engine's own, but there without the engine, too.
#[derive(Clone, Copy, ValueEnum)]
enum Accelerator {
    Cpu,
    Wgpu,
    Cuda,
    Auto,
}

#[derive(Args)]
struct LimitArguments {
    /// Judge by Kaggle's limits (9 h, 16 GiB, no network) whatever limits the run claims
    #[arg(long)]
    kaggle: bool,
}

fn named_folder(text: &str) -> Result<(String, PathBuf), String> {
    let (name, folder) = text.split_once('=').ok_or_else(|| format!("expected NAME=DIR, got {text:?}"))?;
    Ok((name.to_owned(), folder.into()))
}

fn variable(text: &str) -> Result<(String, String), String> {
    if let Some((name, value)) = text.split_once('=') {
        return Ok((name.to_owned(), value.to_owned()));
    }
    let value = std::env::var(text).map_err(|error| format!("{text}: {error}"))?;
    Ok((text.to_owned(), value))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The panic's own message is on standard error already.
    std::panic::catch_unwind(|| run(arguments)).unwrap_or(ExitCode::from(BUG))
}

fn run(arguments: Arguments) -> ExitCode {
    let Arguments { command, outputs } = arguments;
    let Checked { report, bug } = match outputs.check().and_then(|()| checked(command)) {
        Ok(checked) => checked,
        Err(error) => return refused(&error),
    };
    let code = if bug { BUG } else { exit_code(report.verdict()) };
    match outputs.write(&report) {
        Ok(()) => ExitCode::from(code),
        // Bad news of the run outweighs a report that could not be written; a pass that nobody can read is none.
        Err(error) if code == PASSED => refused(&error),
        Err(error) => {
            refused(&error);
            ExitCode::from(code)
        }
    }
}

/// What was checked.
struct Checked {
    report: Report,
    /// Whether this program failed at a check, which is then not checked: its other findings stay.
    bug: bool,
}

impl From<Report> for Checked {
    fn from(report: Report) -> Self {
        Self { report, bug: false }
    }
}

fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Passed => PASSED,
        Verdict::Failed => FAILED,
        Verdict::NotChecked => NOT_CHECKED,
    }
}

fn refused(error: &anyhow::Error) -> ExitCode {
    eprintln!("Error: {}", shown(&format!("{error:#}")));
    if let Some(PolicyError::Config(error)) = error.downcast_ref()
        && error.kind() == ErrorKind::UnknownKey
        && let Some(hint) = error.hint()
    {
        eprintln!("Hint: {}", shown(&hint));
    }
    ExitCode::from(USAGE)
}

fn checked(command: Command) -> anyhow::Result<Checked> {
    #[cfg(feature = "replay")]
    device::choose_cpu_level(std::env::var_os(device::CPU_LEVEL_VARIABLE).as_deref())?;
    match command {
        Command::Manifest { run, files } => of_run(&run, |run, found| {
            found.checks([run.check_files(&files.unsigned()), run.check_steps(), run.check_record()]);
        }),
        Command::Config { run, sources } => of_run(&run, |run, found| {
            let (check, config) = sources.compose(run);
            found.checks([check]);
            found.config = config;
        }),
        Command::Git { run, sources } => of_run(&run, |run, found| {
            let (_, config) = sources.compose(run);
            found.git(sources.git(run, config.as_ref()));
            found.config = config;
        }),
        Command::Data { run, sources, data } => of_run(&run, |run, found| {
            found.checks([run.check_data(data.places(&sources), Derived::NotLookedAt).0]);
        }),
        Command::Envelope { run, limits } => of_run(&run, |run, found| found.checks([limits.check(run)])),
        Command::Replay { run, sources, data, device, sample } => of_run(&run, |run, found| {
            let (composed, config) = sources.compose(run);
            let (data, signed) = run.check_data(data.places(&sources), Derived::ByReplay);
            found.checks([composed, data, run.check_end(config.as_ref())]);
            let again = Again { run, config: config.as_ref(), data: &signed, accelerator: device.accelerator };
            match sample.sample {
                Some(count) => found.sampled(|| again.sample(count, sample.seed)),
                None => found.replayed(|| again.replay()),
            }
            found.config = config;
        }),
        Command::Audit { run: arguments, files, sources, program, data, limits, replay, device, sign } => {
            let Opened { mut report, run, demands, at } = open(&arguments)?;
            let Some((run, trust)) = run else {
                sign.warn_unsigned();
                return Ok(report.into());
            };
            let signer = sign.signer(&run)?;
            let mut found = Found::default();
            let (composed, config) = sources.compose(&run);
            found.checks([run.check_files(&files.unsigned()), run.check_steps(), run.check_record(), composed]);
            found.git(sources.git(&run, config.as_ref()));
            let derived = if replay { Derived::ByReplay } else { Derived::NotLookedAt };
            let (data, signed) = run.check_data(data.places(&sources), derived);
            let end = run.check_end(config.as_ref());
            found.checks([program.check(&run), data, limits.check(&run), end]);
            if replay {
                let again =
                    Again { run: &run, config: config.as_ref(), data: &signed, accelerator: device.accelerator };
                found.replayed(|| again.replay());
            }
            found.config = config;
            let bug = found.judge(&demands, &run, &trust, at, arguments.profile.profile(), &mut report);
            // A verdict that cannot be written must not hide what was found.
            if let Some(Err(error)) = signer.map(|signer| signer.sign(&run, &report, found.record)) {
                let mut check = Check::new("signing");
                check.not_checked(format!("{error:#}"));
                report.checks.push(check);
            }
            Ok(Checked { report, bug })
        }
        Command::Verdict { run, trust, trainer_key, files, profile, verdict } => {
            let believed = trust.resolve(Role::Verifier)?.with_trainer(trainer_key.as_deref());
            Ok(of_verdict(&run, believed, &files.unsigned(), profile.profile(), verdict.as_deref()).into())
        }
        Command::Golden { golden, configs, device, update } => {
            Ok(run_golden(&golden, &configs, device.accelerator, update).into())
        }
    }
}

/// What the checks of a run found, as they are made.
#[derive(Default)]
struct Found {
    checks: Vec<Check>,
    /// The signed config, if it was composed.
    config: Option<Config>,
    /// Config files that the commit does not hold.
    configs_not_held: Vec<String>,
    trained_again: TrainedAgain,
    /// What was trained again.
    record: Option<ReplayRecord>,
    bug: bool,
}

impl Found {
    fn checks(&mut self, checks: impl IntoIterator<Item = Check>) {
        self.checks.extend(checks);
    }

    fn git(&mut self, evidence: GitEvidence) {
        self.checks.push(evidence.check);
        self.configs_not_held = evidence.configs_not_held;
    }

    /// Replays; a replay that this program fails at must not take the other findings with it.
    fn replayed(&mut self, replay: impl FnOnce() -> (Check, Option<ReplayRecord>)) {
        match caught("replay", replay) {
            Ok((check, record)) => {
                if check.verdict == Verdict::Passed {
                    self.trained_again = TrainedAgain::Whole;
                }
                self.checks.push(check);
                self.record = record;
            }
            Err(check) => self.failed(check),
        }
    }

    fn sampled(&mut self, sample: impl FnOnce() -> Check) {
        match caught("sample", sample) {
            Ok(check) => {
                if check.verdict == Verdict::Passed {
                    self.trained_again = TrainedAgain::Part;
                }
                self.checks.push(check);
            }
            Err(check) => self.failed(check),
        }
    }

    fn failed(&mut self, check: Check) {
        self.bug = true;
        self.checks.push(check);
    }

    /// Judges what was found by what is demanded, and moves it into the report; says whether there was a bug.
    fn judge(
        &mut self,
        demands: &demands::Demands,
        run: &VerifiedRun,
        trust: &Trust,
        at: Timestamp,
        profile: Profile,
        report: &mut Report,
    ) -> bool {
        let found = demands::Found {
            config: self.config.as_ref(),
            replayed: self.trained_again == TrainedAgain::Whole,
            configs_not_held: &self.configs_not_held,
        };
        let judged = demands.judge(run, trust, at, profile, &found);
        report.checks.append(&mut self.checks);
        report.checks.extend(judged);
        report.trained_again = self.trained_again;
        self.bug
    }
}

/// Does a part of the work; where this program fails at it, a check of that name which was not made.
fn caught<T>(name: &str, work: impl FnOnce() -> T) -> Result<T, Check> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).map_err(|_| {
        let mut check = Check::new(name);
        check.not_checked("this program failed at it: that is a bug, please report it (exit code 70)".into());
        check
    })
}

/// Opens the run and makes the checks on it; a run nobody vouches for is not checked further.
fn of_run(arguments: &RunArguments, checks: impl FnOnce(&VerifiedRun, &mut Found)) -> anyhow::Result<Checked> {
    let Opened { mut report, run, demands, at } = open(arguments)?;
    let Some((run, trust)) = run else { return Ok(report.into()) };
    let mut found = Found::default();
    checks(&run, &mut found);
    let bug = found.judge(&demands, &run, &trust, at, arguments.profile.profile(), &mut report);
    Ok(Checked { report, bug })
}

/// A report with the check of a run's signature, and the run if that passed.
struct Opened {
    report: Report,
    /// The run, and whom to believe about it.
    run: Option<(VerifiedRun, Trust)>,
    demands: demands::Demands,
    /// The time that everything is judged at.
    at: Timestamp,
}

/// Opens the run.
fn open(arguments: &RunArguments) -> anyhow::Result<Opened> {
    let demands = arguments.demands.read()?;
    let believed = arguments.trust.resolve(Role::Trainer)?;
    let at = trust::now();
    let mut report = Report::new(arguments.run.display().to_string(), believed.is_self);
    report.checks.extend(believed.check);
    let trust = match believed.trust {
        Ok(trust) => trust,
        Err(check) => {
            report.checks.push(check);
            return Ok(Opened { report, run: None, demands, at });
        }
    };
    let (mut signature, run) = VerifiedRun::open(&arguments.run, &trust, at, arguments.profile.profile());
    report.run = run.as_ref().map(SignedRun::from);
    let run = run.and_then(|run| demands.expected(run, &mut signature));
    report.checks.push(signature);
    Ok(Opened { report, run: run.map(|run| (run, trust)), demands, at })
}
/// Checks what a verifier signed about a run.
fn of_verdict(
    run: &Path,
    believed: trust::Believed,
    unsigned: &Unsigned,
    profile: Profile,
    verdict: Option<&Path>,
) -> Report {
    let mut report = Report::new(run.display().to_string(), believed.is_self);
    report.checks.extend(believed.check);
    match believed.trust {
        Ok(trust) => {
            let found = check_verdict(run, verdict, unsigned, &trust, trust::now(), profile);
            report.run = found.run;
            report.checks.extend(found.checks);
        }
        Err(check) => report.checks.push(check),
    }
    report
}

impl ProfileArguments {
    fn profile(&self) -> Profile {
        if self.tolerant && !self.strict { Profile::Tolerant } else { Profile::Strict }
    }
}

impl FileArguments {
    fn unsigned(&self) -> Unsigned {
        Unsigned(self.allow_unsigned.clone())
    }
}

impl SourceArguments {
    fn configs(&self) -> PathBuf {
        self.configs.clone().unwrap_or_else(|| self.repository.join("configs"))
    }

    /// Composes the signed config again, with no variable of this environment but those that were named.
    fn compose(&self, run: &VerifiedRun) -> (Check, Option<Config>) {
        let configs = self.configs();
        let composer = composer(&configs).cwd(&self.repository).add_env(self.variables.iter().cloned());
        run.check_config(&composer, &configs)
    }

    fn git(&self, run: &VerifiedRun, config: Option<&Config>) -> GitEvidence {
        let sources = config.iter().flat_map(|config| config.sources());
        let reads: Vec<_> = sources.filter_map(|source| source.absolute.clone()).collect();
        let place = if self.configs_elsewhere { ConfigsPlace::Elsewhere } else { ConfigsPlace::InRepository };
        run.check_git(&self.repository, &reads, place)
    }
}

impl ProgramArguments {
    fn check(&self, run: &VerifiedRun) -> Check {
        let place = match self.program {
            Program::Recorded => ProgramPlace::Recorded,
            Program::Installed => ProgramPlace::Installed,
        };
        run.check_program(place, BuiltFrom::own().as_ref())
    }
}

impl DataArguments {
    fn places<'a>(&'a self, sources: &'a SourceArguments) -> DataPlaces<'a> {
        DataPlaces { named: &self.roots, work_tree: &sources.repository }
    }
}

impl LimitArguments {
    fn check(&self, run: &VerifiedRun) -> Check {
        run.check_envelope(self.kaggle.then_some(&Bounds::KAGGLE))
    }
}

/// A composer with no environment: what a signed run was composed from must not depend on the checker's.
fn composer(configs: &Path) -> Composer {
    Composer::new(SearchPath::of_directory(configs))
}

/// What a run is trained again from.
#[cfg_attr(not(feature = "replay"), expect(dead_code, reason = "without the engine nothing is trained"))]
struct Again<'a> {
    run: &'a VerifiedRun,
    config: Option<&'a Config>,
    data: &'a SignedData,
    accelerator: Accelerator,
}

#[cfg(feature = "replay")]
impl Again<'_> {
    fn replay(&self) -> (Check, Option<ReplayRecord>) {
        match self.verified() {
            Some(replay) => replay::check(&replay),
            None => (without_config("replay"), None),
        }
    }

    fn sample(&self, count: u32, seed: Option<u64>) -> Check {
        let Some(replay) = self.verified() else { return without_config("sample") };
        let seed = match seed.map_or_else(getrandom::u64, Ok) {
            Ok(seed) => seed,
            Err(error) => {
                let mut check = Check::new("sample");
                check.not_checked(format!("no random seed: {error}"));
                return check;
            }
        };
        replay::sample::check(&replay, replay::sample::Sample { stretches: count as usize, seed })
    }

    fn verified(&self) -> Option<replay::Replay<'_>> {
        let Self { run, config, data, accelerator } = *self;
        Some(replay::Replay { run, config: config?, data, accelerator: accelerator.into() })
    }
}

#[cfg(feature = "replay")]
fn without_config(name: &str) -> Check {
    let mut check = Check::new(name);
    check.not_checked("the signed config was not composed: there is nothing to train by".into());
    check
}

#[cfg(feature = "replay")]
fn run_golden(golden: &Path, configs: &Path, accelerator: Accelerator, update: bool) -> Report {
    golden::report(golden, &composer(configs), accelerator.into(), update)
}

#[cfg(feature = "replay")]
impl From<Accelerator> for spectramind::engine::settings::Accelerator {
    fn from(accelerator: Accelerator) -> Self {
        match accelerator {
            Accelerator::Cpu => Self::Cpu,
            Accelerator::Wgpu => Self::Wgpu,
            Accelerator::Cuda => Self::Cuda,
            Accelerator::Auto => Self::Auto,
        }
    }
}

#[cfg(not(feature = "replay"))]
impl Again<'_> {
    fn replay(&self) -> (Check, Option<ReplayRecord>) {
        (without_engine("replay"), None)
    }

    fn sample(&self, _: u32, _: Option<u64>) -> Check {
        without_engine("sample")
    }
}

#[cfg(not(feature = "replay"))]
fn run_golden(golden: &Path, _: &Path, _: Accelerator, _: bool) -> Report {
    let mut report = Report::new(golden.display().to_string(), false);
    report.checks.push(without_engine("golden"));
    report
}

#[cfg(not(feature = "replay"))]
fn without_engine(name: &str) -> Check {
    let mut check = Check::new(name);
    check.not_checked("this program was built without the tensor engine: build it with `--features replay`".into());
    check
}
