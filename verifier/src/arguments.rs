//! The command line, and what each part of it says about a run.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;
use spectramind::config::{Composer, Config, SearchPath};
use spectramind::envelope::Bounds;
use spectramind::manifest::dsse::Profile;
use spectramind::provenance::environment::BuiltFrom;
use spectramind::verify::{
    Check, ConfigsPlace, DataPlaces, GitEvidence, KnownWorkloads, ProgramPlace, Report, Unsigned, VerifiedRun,
    check_plan,
};

#[cfg(unix)]
use crate::twice::TwiceArguments;
use crate::{demands, report, sign, trust};

/// Re-check a spectramind run: signature, config, sources, data, limits, and a replay, bit for bit. Or any command, by running
/// it twice.
///
/// Exit codes: 0 every requested check passed; 1 a check failed; 2 wrong arguments; 3 something could not be checked
/// (file missing, backend not compiled in); 70 a bug. "Not checked" is never 0.
#[derive(Parser)]
#[command(version, about, max_term_width = 120)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub outputs: report::Outputs,
}

/// The name of this package, which is that of its program.
const OURS: &str = env!("CARGO_PKG_NAME");

/// The arguments of the process, or its end with what is wrong with them. A verifier of one's own goes by the name that it was
/// called by, and by its library's version.
pub fn of_process() -> Arguments {
    let called = std::env::args_os().next().unwrap_or_default();
    let file = Path::new(&called).file_name().and_then(|name| name.to_str()).unwrap_or(OURS);
    let name = file.strip_suffix(std::env::consts::EXE_SUFFIX).unwrap_or(file);
    let mut command = Arguments::command();
    if name != OURS {
        let version = concat!("(with spectramind-verify ", env!("CARGO_PKG_VERSION"), ")");
        // Clap keeps names for as long as the program runs.
        command = command.name(&*name.to_owned().leak()).version(version);
    }
    let matches = command.clone().get_matches();
    Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
}

#[derive(Subcommand)]
pub enum Command {
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
    /// The limits, judged by the recorded figures; of a config, by what it plans
    Envelope {
        #[command(flatten)]
        run: RunArguments,
        #[command(flatten)]
        limits: LimitArguments,
        #[command(flatten)]
        plan: PlanArguments,
    },
    /// Make the run again from the verified data and compare every step and file, bit for bit
    Replay {
        #[command(flatten)]
        run: RunArguments,
        #[command(flatten)]
        sources: SourceArguments,
        #[command(flatten)]
        data: DataArguments,
        #[command(flatten)]
        device: DeviceArguments,
        /// Run the command of a run of `spectramind exec` again: it is the trainer's code, and has your rights
        #[arg(long)]
        run_command: bool,
        #[command(flatten)]
        segments: SegmentArguments,
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
        /// Make the run again and compare every step and file, too
        #[arg(long, conflicts_with_all = ["segments", "budget"])]
        replay: bool,
        /// Run the command of a run of `spectramind exec` again: it is the trainer's code, and has your rights
        #[arg(long, requires = "replay")]
        run_command: bool,
        #[command(flatten)]
        segments: SegmentArguments,
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
    /// Run any command twice or more while what must not matter is varied, and name what changes its outputs
    ///
    /// Each run has a fresh copy of the work tree. Path, HOME, threads, processors, hash seeds, time zone, locale, umask, host
    /// name, order of listings and instruction sets differ; all files that the command made, changed or removed must not. If
    /// they do, more runs find which variation is the cause, and where the first differing element is.
    #[cfg(unix)]
    Twice(TwiceArguments),
    /// Where a run parts from another run, another device, or a trace made on another machine: the first step, op, tensor and element
    Dispute {
        #[command(flatten)]
        run: RunArguments,
        /// Another run of the same config and data, whose step log it is held against
        #[arg(value_name = "OTHER")]
        other: Option<PathBuf>,
        #[command(flatten)]
        sources: SourceArguments,
        #[command(flatten)]
        data: DataArguments,
        #[command(flatten)]
        device: DeviceArguments,
        #[command(flatten)]
        dispute: DisputeArguments,
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
        #[command(flatten)]
        cases: CaseArguments,
    },
}

#[derive(Args)]
pub struct RunArguments {
    /// The run directory
    pub run: PathBuf,
    #[command(flatten)]
    pub trust: trust::Arguments,
    #[command(flatten)]
    pub profile: ProfileArguments,
    #[command(flatten)]
    pub demands: demands::DemandArguments,
}

#[derive(Args)]
pub struct ProfileArguments {
    /// Accept an envelope only in the very bytes that spectramind writes, without signatures of unknown keys [default]
    #[arg(long, conflicts_with = "tolerant")]
    pub strict: bool,
    /// Accept an envelope in any spelling that DSSE allows, and beside signatures of unknown keys
    #[arg(long)]
    pub tolerant: bool,
}

#[derive(Args)]
pub struct FileArguments {
    /// Let files lie in the run directory that nobody signed: a pattern as in .gitignore, such as `submission.csv`
    #[arg(long = "allow-unsigned", value_name = "PATTERN")]
    pub allow_unsigned: Vec<String>,
}

#[derive(Args)]
pub struct SourceArguments {
    /// Work tree of the sources; configs and data are looked for in it, where the record says
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repository: PathBuf,
    /// Folder of the primary configs [default: configs in the repository]
    #[arg(long, value_name = "DIR")]
    pub configs: Option<PathBuf>,
    /// Let configs lie outside the repository, whose commit then says nothing of them
    #[arg(long)]
    pub configs_elsewhere: bool,
    /// A value of an environment variable that the config reads and the record withholds; without =VALUE, your own
    #[arg(long = "env", value_name = "NAME[=VALUE]", value_parser = variable)]
    pub variables: Vec<(String, String)>,
}

#[derive(Args)]
pub struct ProgramArguments {
    /// Where the sources of the program that trained are
    #[arg(long, value_enum, default_value_t = Program::Recorded)]
    pub program: Program,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Program {
    /// In the recorded repository: it was built from the recorded commit
    Recorded,
    /// Elsewhere: it was installed, and is the one that this verifier was built with
    Installed,
}

#[derive(Args)]
pub struct DataArguments {
    /// Where a data set is, by its recorded name [default: where the record says]
    #[arg(long = "data", value_name = "NAME=DIR", value_parser = named_folder)]
    pub roots: Vec<(String, PathBuf)>,
}

#[derive(Args)]
pub struct DeviceArguments {
    /// Where to train again: a run in portable numerics replays anywhere, one in native numerics where it was made
    #[arg(long, value_enum, default_value_t = Accelerator::Cpu)]
    pub accelerator: Accelerator,
}

#[derive(Args)]
pub struct DisputeArguments {
    /// Look into this step [default: the first that differs]
    #[arg(long, value_name = "STEP", value_parser = clap::value_parser!(u64).range(1..))]
    pub step: Option<u64>,
    /// Hold it against another device of this machine
    #[arg(long, value_enum, value_name = "ACCELERATOR", conflicts_with_all = ["other", "with"])]
    pub against: Option<Accelerator>,
    /// Write what every op of the step gave here, as digests, for another machine to compare with
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Compare with what was traced on another machine
    #[arg(long, value_name = "FILE", conflicts_with = "step")]
    pub with: Option<PathBuf>,
}

#[derive(Args)]
pub struct CaseArguments {
    /// Only the case of this name; may be given several times [default: all of them]
    #[arg(long = "case", value_name = "NAME")]
    pub cases: Vec<String>,
    /// Write the digests that differ instead of failing; the reason stays with them
    #[arg(long, requires = "reason")]
    pub update: bool,
    /// Why the digests change: a sentence, which belongs into the CHANGELOG, too
    #[arg(long, value_name = "TEXT", requires = "update")]
    pub reason: Option<String>,
}

#[derive(Args)]
pub struct SegmentArguments {
    /// Train only so many segments between audit points again: the first, the last, and others drawn at random; the report says what
    /// that finds
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "budget", group = "amount")]
    pub segments: Option<u32>,
    /// As many segments as take so long at the speed that the run recorded, such as 10m or 1h30m
    #[arg(long, value_name = "TIME", value_parser = duration, group = "amount")]
    pub budget: Option<Duration>,
    /// Draw the segments by this text, which the trainer must not know before signing [default: a random one]
    #[arg(long, value_name = "NONCE", requires = "amount")]
    pub draw: Option<String>,
    /// Train so many segments at once, on a CPU; each needs the memory of a training [default: the number of cores]
    #[arg(long, value_name = "COUNT", value_parser = at_least_one, requires = "amount")]
    pub jobs: Option<NonZeroUsize>,
}

impl SegmentArguments {
    /// How many segments are asked for; none where nothing is.
    pub fn amount(&self) -> Option<SegmentAmount> {
        let count = self.segments.map(|count| SegmentAmount::Count(count as usize));
        count.or(self.budget.map(SegmentAmount::Time))
    }
}

/// The engine's own, but there without the engine, too.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "replay"), expect(dead_code, reason = "without the engine nothing is trained"))]
pub enum SegmentAmount {
    Count(usize),
    Time(Duration),
}

fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "expected a whole number from 1".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let span = text.parse::<SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
    span.ok_or_else(|| format!("expected a time such as 10m or 1h30m, got {text:?}"))
}

/// The engine's own, but there without the engine, too.
#[derive(Clone, Copy, ValueEnum)]
pub enum Accelerator {
    Cpu,
    Wgpu,
    Cuda,
    Auto,
}

/// A config to be judged in the place of a run.
#[derive(Args)]
pub struct PlanArguments {
    /// Judge a config, and run nothing: RUN is then a folder of primary configs
    #[arg(long = "static")]
    pub is_static: bool,
    /// With --static: the primary config [default: train]
    #[arg(long, value_name = "NAME", requires = "is_static")]
    pub config_name: Option<String>,
    /// With --static: overrides in Hydra's grammar
    #[arg(value_name = "OVERRIDE", requires = "is_static")]
    pub overrides: Vec<String>,
}

#[derive(Args)]
pub struct LimitArguments {
    /// Judge by Kaggle's limits (9 h, 16 GiB, no network) whatever limits the run claims
    #[arg(long)]
    pub kaggle: bool,
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

impl ProfileArguments {
    pub fn profile(&self) -> Profile {
        if self.tolerant && !self.strict { Profile::Tolerant } else { Profile::Strict }
    }
}

impl FileArguments {
    pub fn unsigned(&self) -> Unsigned {
        Unsigned(self.allow_unsigned.clone())
    }
}

impl SourceArguments {
    pub fn configs(&self) -> PathBuf {
        self.configs.clone().unwrap_or_else(|| self.repository.join("configs"))
    }

    /// Composes the signed config again, with no variable of this environment but those that were named.
    pub fn compose(&self, run: &VerifiedRun, workloads: KnownWorkloads<'_>) -> (Check, Option<Config>) {
        let configs = self.configs();
        let composer = composer(&configs).cwd(&self.repository).add_env(self.variables.iter().cloned());
        run.check_config(&composer, &configs, workloads)
    }

    pub fn git(&self, run: &VerifiedRun, config: Option<&Config>) -> GitEvidence {
        let sources = config.iter().flat_map(|config| config.sources());
        let reads: Vec<_> = sources.filter_map(|source| source.absolute.clone()).collect();
        let place = if self.configs_elsewhere { ConfigsPlace::Elsewhere } else { ConfigsPlace::InRepository };
        run.check_git(&self.repository, &reads, place)
    }
}

impl ProgramArguments {
    pub fn check(&self, run: &VerifiedRun) -> Check {
        let place = match self.program {
            Program::Recorded => ProgramPlace::Recorded,
            Program::Installed => ProgramPlace::Installed,
        };
        run.check_program(place, BuiltFrom::own().as_ref())
    }
}

impl DataArguments {
    /// Whether there is anything to hash: a command that declares no inputs has none, unless the checker names some.
    pub fn has_any(&self, run: &VerifiedRun) -> bool {
        run.claim().command().is_none() || !run.claim().data.is_empty() || !self.roots.is_empty()
    }

    pub fn places<'a>(&'a self, sources: &'a SourceArguments) -> DataPlaces<'a> {
        DataPlaces { named: &self.roots, work_tree: &sources.repository }
    }
}

impl LimitArguments {
    /// Whether there is a limit to judge by: a command may be run without.
    pub fn has_any(&self, run: &VerifiedRun) -> bool {
        self.kaggle || run.claim().command().is_none() || run.claims_limits()
    }

    pub fn check(&self, run: &VerifiedRun) -> Check {
        run.check_envelope(self.bounds())
    }

    pub fn bounds(&self) -> Option<&'static Bounds> {
        self.kaggle.then_some(&Bounds::KAGGLE)
    }
}

impl PlanArguments {
    /// What a config plans, judged.
    ///
    /// # Errors
    /// What is wrong with the config or the overrides.
    pub fn report(&self, configs: &Path, limits: &LimitArguments) -> anyhow::Result<Report> {
        let mut report = Report::new(configs.display().to_string(), false);
        let name = self.config_name.as_deref().unwrap_or("train");
        let cwd = std::env::current_dir().unwrap_or_default();
        let env =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        // What the config comes to here: nothing of it is signed, and what it reads of the environment is whoever asks's.
        let composed = composer(configs).cwd(cwd).add_env(env).compose(name, &self.overrides)?;
        report.checks.push(check_plan(&composed, limits.bounds()));
        Ok(report)
    }
}

/// A composer with no environment: what a signed run was composed from must not depend on the checker's.
pub fn composer(configs: &Path) -> Composer {
    Composer::new(SearchPath::of_directory(configs))
}
