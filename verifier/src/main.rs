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
use spectramind::config::{Composer, ErrorKind, SearchPath};
use spectramind::envelope::Bounds;
use spectramind::manifest::dsse::Profile;
use spectramind::manifest::trust::{Role, Trust};
use spectramind::manifest::verdict::ReplayRecord;
use spectramind::verify::{
    Check, ConfigsPlace, PolicyError, Report, SignedRun, VERDICT, Verdict, VerifiedRun, check_verdict,
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
    /// The signature, every signed file, and the step log
    Manifest(RunArguments),
    /// The config, composed again from its sources
    Config {
        #[command(flatten)]
        run: RunArguments,
        #[command(flatten)]
        configs: ConfigArguments,
    },
    /// The sources: commit, tree, uncommitted changes
    Git {
        #[command(flatten)]
        run: RunArguments,
        #[command(flatten)]
        sources: GitArguments,
    },
    /// The data, hashed again
    Data {
        #[command(flatten)]
        run: RunArguments,
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
    /// Train again and compare every step, bit for bit
    Replay {
        #[command(flatten)]
        run: RunArguments,
        #[command(flatten)]
        configs: ConfigArguments,
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
        configs: ConfigArguments,
        #[command(flatten)]
        sources: GitArguments,
        #[command(flatten)]
        data: DataArguments,
        #[command(flatten)]
        limits: LimitArguments,
        /// Train again and compare every step, too
        #[arg(long)]
        replay: bool,
        #[command(flatten)]
        device: DeviceArguments,
        #[command(flatten)]
        sign: sign::Signing,
    },
    /// What a verifier signed about a run: by whom, about exactly this manifest, and that every check passed
    Verdict {
        /// The run directory
        run: PathBuf,
        #[command(flatten)]
        trust: trust::Arguments,
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
        #[command(flatten)]
        configs: ConfigArguments,
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
struct ConfigArguments {
    /// Folder of the primary configs
    #[arg(long, value_name = "DIR", default_value = "configs")]
    configs: PathBuf,
}

#[derive(Args)]
struct GitArguments {
    /// Work tree of the sources
    #[arg(long, value_name = "DIR", default_value = ".")]
    repository: PathBuf,
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

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The panic's own message is on standard error already.
    std::panic::catch_unwind(|| run(arguments)).unwrap_or(ExitCode::from(BUG))
}

fn run(arguments: Arguments) -> ExitCode {
    let Arguments { command, outputs } = arguments;
    let report = match outputs.check().and_then(|()| checked(command)) {
        Ok(report) => report,
        Err(error) => return refused(&error),
    };
    let code = exit_code(report.verdict());
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

fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Passed => PASSED,
        Verdict::Failed => FAILED,
        Verdict::NotChecked => NOT_CHECKED,
    }
}

fn refused(error: &anyhow::Error) -> ExitCode {
    eprintln!("Error: {error:#}");
    if let Some(PolicyError::Config(error)) = error.downcast_ref()
        && error.kind() == ErrorKind::UnknownKey
        && let Some(hint) = error.hint()
    {
        eprintln!("Hint: {hint}");
    }
    ExitCode::from(USAGE)
}

fn checked(command: Command) -> anyhow::Result<Report> {
    #[cfg(feature = "replay")]
    replay::choose_cpu_level()?;
    match command {
        Command::Manifest(run) => of_run(&run, |run| vec![run.check_files(), run.check_steps()]),
        Command::Config { run, configs } => of_run(&run, |run| vec![configs.check(run)]),
        Command::Git { run, sources } => {
            of_run(&run, |run| vec![run.check_git(&sources.repository, &[], ConfigsPlace::InRepository).check])
        }
        Command::Data { run, data } => of_run(&run, |run| vec![run.check_data(&data.roots)]),
        Command::Envelope { run, limits } => of_run(&run, |run| vec![limits.check(run)]),
        Command::Replay { run, configs, data, device, sample } => of_run(&run, |run| {
            vec![match sample.sample {
                Some(count) => {
                    replay_sample(run, &configs.configs, &data.roots, device.accelerator, count, sample.seed)
                }
                None => replay(run, &configs.configs, &data.roots, device.accelerator).0,
            }]
        }),
        Command::Audit { run: arguments, configs, sources, data, limits, replay: asked, device, sign } => {
            let Opened { mut report, run, demands, at } = open(&arguments)?;
            let Some((run, trust)) = run else {
                sign.warn_unsigned();
                return Ok(report);
            };
            let signer = sign.signer(&run)?;
            report.checks.extend([
                run.check_files(),
                run.check_steps(),
                configs.check(&run),
                run.check_git(&sources.repository, &[], ConfigsPlace::InRepository).check,
                run.check_data(&data.roots),
                limits.check(&run),
            ]);
            let mut replayed = None;
            if asked {
                let (check, record) = replay(&run, &configs.configs, &data.roots, device.accelerator);
                report.checks.push(check);
                replayed = record;
            }
            report.checks.extend(demands.judge(&run, &trust, at, arguments.profile.profile()));
            // A verdict that cannot be written must not hide what was found.
            if let Some(Err(error)) = signer.map(|signer| signer.sign(&run, &report, replayed)) {
                let mut check = Check::new("signing");
                check.not_checked(format!("{error:#}"));
                report.checks.push(check);
            }
            Ok(report)
        }
        Command::Verdict { run, trust, profile, verdict } => of_verdict(&run, &trust, profile.profile(), verdict),
        Command::Golden { golden, configs, device, update } => {
            Ok(run_golden(&golden, &configs.configs, device.accelerator, update))
        }
    }
}

/// Opens the run and makes the checks on it; a run nobody vouches for is not checked further.
fn of_run(arguments: &RunArguments, checks: impl FnOnce(&VerifiedRun) -> Vec<Check>) -> anyhow::Result<Report> {
    let Opened { mut report, run, demands, at } = open(arguments)?;
    if let Some((run, trust)) = run {
        report.checks.extend(checks(&run));
        report.checks.extend(demands.judge(&run, &trust, at, arguments.profile.profile()));
    }
    Ok(report)
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
    trust: &trust::Arguments,
    profile: Profile,
    verdict: Option<PathBuf>,
) -> anyhow::Result<Report> {
    let believed = trust.resolve(Role::Verifier)?;
    let mut report = Report::new(run.display().to_string(), believed.is_self);
    let verdict = verdict.unwrap_or_else(|| run.join(VERDICT));
    report.checks.extend(believed.check);
    report.checks.extend(match believed.trust {
        Ok(trust) => check_verdict(run, &verdict, &trust, trust::now(), profile),
        Err(check) => vec![check],
    });
    Ok(report)
}

impl ProfileArguments {
    fn profile(&self) -> Profile {
        if self.tolerant && !self.strict { Profile::Tolerant } else { Profile::Strict }
    }
}

impl ConfigArguments {
    fn check(&self, run: &VerifiedRun) -> Check {
        run.check_config(&composer(&self.configs), &self.configs)
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

#[cfg(feature = "replay")]
fn replay(
    run: &VerifiedRun,
    configs: &Path,
    roots: &[(String, PathBuf)],
    accelerator: Accelerator,
) -> (Check, Option<ReplayRecord>) {
    replay::check(run, &composer(configs), roots, accelerator.into())
}

#[cfg(feature = "replay")]
fn replay_sample(
    run: &VerifiedRun,
    configs: &Path,
    roots: &[(String, PathBuf)],
    accelerator: Accelerator,
    count: u32,
    seed: Option<u64>,
) -> Check {
    let seed = match seed.map_or_else(getrandom::u64, Ok) {
        Ok(seed) => seed,
        Err(error) => {
            let mut check = Check::new("sample");
            check.not_checked(format!("no random seed: {error}"));
            return check;
        }
    };
    let sample = replay::sample::Sample { stretches: count as usize, seed };
    replay::sample::check(run, &composer(configs), roots, accelerator.into(), sample)
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
fn replay(_: &VerifiedRun, _: &Path, _: &[(String, PathBuf)], _: Accelerator) -> (Check, Option<ReplayRecord>) {
    (without_engine("replay"), None)
}

#[cfg(not(feature = "replay"))]
fn replay_sample(_: &VerifiedRun, _: &Path, _: &[(String, PathBuf)], _: Accelerator, _: u32, _: Option<u64>) -> Check {
    without_engine("sample")
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
