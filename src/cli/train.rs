//! `spectramind train`

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use crate::cli::compose::warned;
use crate::cli::console::Console;
use crate::cli::digests::Digests;
use crate::cli::job::Job;
use crate::cli::output::outln;
use crate::cli::progress::Stages;
use crate::cli::{compose, init, interrupt, keys, passphrase, program, ranks, sweep, world};
use crate::engine::fit::{Exit, FitEnd};
use crate::engine::run_dir::RunDirectory;
use crate::failure::{Failure, Result};
use crate::manifest::key::SigningKey;
use crate::manifest::origin::RunOrigin;
use crate::manifest::predicate::DataRole;
use crate::provenance::path::RelativePath;
use crate::run::{self, Crew, News, Place, Ranks, Recording, Workloads};

/// Train, log, checkpoint, sign; make missing data that can be made first
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    compose: compose::Arguments,
    #[command(flatten)]
    signing: Signing,
    /// Go on with this many workers instead of as many as the config says: their number changes no bit of portable numerics
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    workers: Option<u32>,
    /// The MPI library to load, for several processes [default: the first of libmpi_abi.so.1 and libmpi.so.40 that the system finds]
    #[arg(long, value_name = "FILE", env = "SPECTRAMIND_MPI_LIBRARY")]
    mpi_library: Option<PathBuf>,
}

/// How a run is signed.
#[derive(clap::Args)]
#[group(skip)]
pub struct Signing {
    /// Sign with this key (PKCS#8 PEM, mode 0600) [default: your own, made on the first run]
    #[arg(long, value_name = "FILE", env = "SPECTRAMIND_SIGNING_KEY")]
    pub signing_key: Option<PathBuf>,
    /// Read all data, also those whose digests are remembered from an earlier run
    #[arg(long)]
    pub no_cache: bool,
    #[command(flatten)]
    passphrase: passphrase::Arguments,
    /// The key once it is open: the runs of a multirun ask for one passphrase once.
    #[arg(skip)]
    opened: OnceCell<SigningKey>,
}

impl Signing {
    /// The key that the runs are signed with.
    pub fn key(&self) -> Result<&SigningKey> {
        if let Some(key) = self.opened.get() {
            return Ok(key);
        }
        let key = keys::for_signing(self.signing_key.as_deref(), &self.passphrase)?;
        Ok(self.opened.get_or_init(|| key))
    }
}

/// Name of the primary config.
const PRIMARY: &str = "train";

/// Trains new runs or goes on with one, alone or as one of several processes.
pub fn run(arguments: &Arguments, workloads: &Workloads) -> Result<()> {
    if arguments.workers.is_some() && arguments.compose.resume.is_none() {
        let hint = "of a new run the config says how many: trainer.devices=N";
        return Err(Failure::usage("--workers: expected --resume DIR as well, got a new run", hint));
    }
    interrupt::listen()?;
    match ranks::started(arguments.mpi_library.as_deref())? {
        None => runs(arguments, workloads, None),
        Some(ranks) => ranks::work(ranks, |ranks| runs(arguments, workloads, Some(ranks))),
    }
}

fn runs(arguments: &Arguments, workloads: &Workloads, ranks: Option<&Ranks>) -> Result<()> {
    let compose = &arguments.compose;
    if ranks.is_some() && compose.is_multirun() {
        return Err(multirun_by_ranks());
    }
    match &compose.resume {
        Some(root) if !sweep::is_sweep(root) => {
            let recorded = run::read_origin(root)?.config;
            let config = warned(recorded.compose(&compose.selection.composer(PRIMARY)?)?);
            train(&Job::resumed(config, root), arguments, workloads, ranks)
        }
        _ => {
            let check = |config: &_| workloads.of(config)?.settings(config).map(drop);
            compose.run(PRIMARY, &[], check, |job| train(&job, arguments, workloads, ranks))
        }
    }
}

/// Trains one run of a command line, or a worker's part of it.
fn train(job: &Job, arguments: &Arguments, workloads: &Workloads, ranks: Option<&Ranks>) -> Result<()> {
    let trainer = workloads.of(job.config())?.settings(job.config())?.trainer;
    let is_resumed = arguments.compose.resume.is_some();
    ranks::check(&trainer, arguments.workers, is_resumed, ranks, arguments.mpi_library.as_deref())?;
    match ranks {
        None => record(job, arguments, workloads, Crew::Threads(arguments.workers)),
        Some(_) if job.is_of_sweep() => Err(multirun_by_ranks()),
        Some(ranks) if ranks.rank() == 0 => record(job, arguments, workloads, Crew::Ranks(ranks)),
        Some(ranks) => assist(job, arguments, workloads, ranks),
    }
}

fn multirun_by_ranks() -> Failure {
    Failure::usage(
        "a multirun by several processes: expected one run, got several",
        "start one launcher for each run, or let workers of this machine make them: trainer=multi_gpu",
    )
}

/// Computes a worker's part of a run that rank 0 records.
fn assist(job: &Job, arguments: &Arguments, workloads: &Workloads, ranks: &Ranks) -> Result<()> {
    let digests = Digests::open(!arguments.signing.no_cache);
    // Rank 0 hears of a signal, and ends all.
    interrupt::gracefully();
    world::with(|surroundings| {
        workloads.of(job.config())?.assist(job.config(), ranks, digests.cache(), surroundings.program)
    })
}

/// Trains one run, and signs it.
fn record(job: &Job, arguments: &Arguments, workloads: &Workloads, crew: Crew<'_>) -> Result<()> {
    let (config, place) = (job.config(), job.place()?);
    if let Place::Begun(root) = &place
        && run::is_complete(root)
    {
        return completed(job, root);
    }
    let workload = workloads.of(config)?;
    let settings = workload.settings(config)?;
    if let Place::New(root) = &place {
        // It is looked at again when it is made: here only so that hours of calibration are not in vain.
        RunDirectory::check_new(root)?;
    }
    // What nobody else can compose is refused before anything is made.
    config.resolvers()?;
    let key = arguments.signing.key()?;
    let selection = &arguments.compose.selection;
    let digests = Digests::open(!arguments.signing.no_cache);
    let max_time = settings.trainer.max_time.map(|limit| limit.0);
    let mut console = Console::new(Stages::new(arguments.compose.quiet), max_time);
    let signed = world::with(|surroundings| {
        workload.record(Recording {
            config,
            place,
            crew,
            begin: &mut |root| job.begin_in(root),
            cache: digests.cache(),
            surroundings,
            key,
            news: &mut |news| {
                if let News::Begun(origin) = &news {
                    // The run may take days, and not be ended by itself.
                    digests.save();
                    if origin.git.is_none() {
                        eprintln!("{}", init::OUTSIDE_A_REPOSITORY);
                    }
                    // A composer that cannot be had now could not be had for this run.
                    let composer = selection.composer(PRIMARY).ok();
                    if let Some(why) = composer.and_then(|composer| run::audit_difference(origin, &composer)) {
                        eprintln!("Warning: an audit will not compose the config that is signed: {why}");
                    }
                }
                console.hear(news);
            },
        })
    })?;
    console.finish();
    let Console { computing, end, .. } = console;
    let end = end.expect("a run that was signed was trained");
    if end.exit == Exit::Interrupted {
        interrupt::honour();
    }
    outln!("run        {}", signed.root.display());
    outln!("exit       {}", exit(&end));
    outln!("score      {}", workload.summary(&end.metrics));
    outln!("weights    {}", end.checkpoint);
    if let Some(root) = signed.step_root {
        outln!("step root  {root}");
    }
    outln!("signed by  {}", key.public().keyid());
    outln!("profile    {}", settings.trainer.name);
    outln!("device     {computing}");
    outln!("verify     {}", verify_command(&signed.root, &arguments.compose, &arguments.signing, &signed.origin));
    if !matches!(end.exit, Exit::Completed | Exit::EarlyStopped) {
        outln!("resume     {}", resume_command(PRIMARY, &signed.root, &arguments.compose, &arguments.signing));
    }
    Ok(())
}

/// A run that is complete already: in a multirun that goes on it is as it should be.
pub fn completed(job: &Job, root: &Path) -> Result<()> {
    if !job.is_of_sweep() {
        let message = format!("{} is complete and signed: there is nothing to go on with", root.display());
        return Err(Failure::new(message));
    }
    if job.config().digest()? != run::read_origin(root)?.config.digest {
        let message =
            format!("{}: expected this job's run, got another run, which is complete and signed", root.display());
        return Err(Failure::new(message));
    }
    eprintln!("{} is complete and signed already", root.display());
    Ok(())
}

fn exit(end: &FitEnd) -> String {
    match end.exit {
        Exit::Completed => format!("completed, {} steps", end.steps),
        Exit::EarlyStopped => format!("stopped early, {} steps", end.steps),
        Exit::Interrupted => format!("interrupted, {} steps; go on with --resume", end.steps),
        Exit::WallLimit => {
            format!("stopped in time for envelope.wall_seconds, {} steps; go on with --resume", end.steps)
        }
        Exit::MaxTime | Exit::StepLimit => {
            format!("stopped at trainer.max_time, {} steps; go on with --resume", end.steps)
        }
    }
}

/// The command that goes on with a run, to paste.
pub fn resume_command(command: &str, run: &Path, compose: &compose::Arguments, signing: &Signing) -> String {
    let mut words = vec![program::name().to_owned(), command.to_owned(), "--resume".into()];
    words.push(quoted(&run.display().to_string()));
    let folders = [("--config-path", compose.config_path()), ("--signing-key", signing.signing_key.as_deref())];
    for (flag, folder) in folders {
        words.extend(folder.into_iter().flat_map(|folder| [flag.to_owned(), quoted(&folder.display().to_string())]));
    }
    words.join(" ")
}

/// The command that re-checks the run here, to paste.
pub fn verify_command(run: &Path, compose: &compose::Arguments, signing: &Signing, origin: &RunOrigin) -> String {
    let mut words = vec![verifier(), "audit".into(), quoted(&run.display().to_string())];
    if let Some(key) = &signing.signing_key {
        words.extend(["--key".into(), quoted(&keys::public_path(key).display().to_string())]);
    }
    if let Some(configs) = compose.config_path() {
        words.extend(["--configs".into(), quoted(&configs.display().to_string())]);
    }
    // An audit looks for data in the work tree, and nowhere that only the record names.
    for data in &origin.data {
        if data.role == DataRole::Raw && RelativePath::parse(&data.root).is_err() {
            words.extend(["--data".into(), quoted(&format!("{}={}", data.name, data.root))]);
        }
    }
    let commit = origin.git.as_ref().map(|git| &git.commit);
    if origin.environment.built_from.as_ref().is_none_or(|built| Some(&built.commit) != commit) {
        words.push("--program installed".into());
    }
    words.join(" ")
}

/// The verifier beside this program, or by its name for the shell to find.
pub fn verifier() -> String {
    let names = program::verifiers();
    let program = std::env::current_exe().ok();
    let mut beside = program.iter().flat_map(|program| names.iter().map(|name| program.with_file_name(name)));
    let Some(beside) = beside.find(|path| path.is_file()) else { return quoted(&names[0]) };
    let here = std::env::current_dir().ok();
    let shown = here.and_then(|here| beside.strip_prefix(here).ok().map(Path::to_owned)).unwrap_or(beside);
    quoted(&shown.display().to_string())
}

/// A word for the shell.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
