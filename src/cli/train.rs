//! `spectramind train`

use std::cell::OnceCell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::ariel::config::{CheckedTrain, TrainConfig};
use crate::ariel::task::SpectrumTask;
use crate::ariel::training::{self, Trained, TrainingRun};
use crate::config::Config;
use crate::digest::Blake3Digest;
use crate::engine::device::{self, Choice, Kind};
use crate::engine::fit::{Event, Exit};
use crate::engine::repro::NUMERICS_VERSION;
use crate::engine::run_dir::{FINAL_CHECKPOINT, LAST_CHECKPOINT, RunDirectory};
use crate::engine::settings::{Numerics, SupportedTrainer, UnsupportedSetting};
use crate::engine::snapshot::Snapshot;
use crate::failure::{Context, Failure, Result};
use crate::manifest::key::SigningKey;
use crate::manifest::origin::{ORIGIN, RunOrigin};
use crate::manifest::predicate::{DataRole, ExitReason};
use crate::manifest::verified::read_unverified;
use crate::provenance::path::RelativePath;
use crate::verify::MANIFEST;

use crate::cli::compose::warned;
use crate::cli::job::Job;
use crate::cli::output::outln;
use crate::cli::progress::Stages;
use crate::cli::record::{self, DataSets, Sources};
use crate::cli::{compose, digests, keys, passphrase, preparation::shown, sweep};

/// Train, log, checkpoint, sign; simulate and calibrate missing simulated data first
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    compose: compose::Arguments,
    /// Sign with this key (PKCS#8 PEM, mode 0600) [default: your own, made on the first run]
    #[arg(long, value_name = "FILE", env = "SPECTRAMIND_SIGNING_KEY")]
    signing_key: Option<PathBuf>,
    /// Read all data, also those whose digests are remembered from an earlier run
    #[arg(long)]
    no_cache: bool,
    #[command(flatten)]
    passphrase: passphrase::Arguments,
    /// The key once it is open: the runs of a multirun ask for one passphrase once.
    #[arg(skip)]
    opened: OnceCell<SigningKey>,
}

impl Arguments {
    /// The key that the runs are signed with.
    fn key(&self) -> Result<&SigningKey> {
        if let Some(key) = self.opened.get() {
            return Ok(key);
        }
        let key = keys::for_signing(self.signing_key.as_deref(), &self.passphrase)?;
        Ok(self.opened.get_or_init(|| key))
    }
}

/// Name of the primary config.
const PRIMARY: &str = "train";

/// Trains new runs or goes on with one.
pub fn run(arguments: &Arguments) -> Result<()> {
    let compose = &arguments.compose;
    match &compose.resume {
        Some(root) if !sweep::is_sweep(root) => {
            let recorded = record::read_origin(root)?.config;
            let config = warned(recorded.compose(&compose.selection.composer(PRIMARY)?)?);
            train_job(Job::resumed(config, root), arguments)
        }
        _ => compose.run(PRIMARY, check, |job| train_job(job, arguments)),
    }
}

/// Refuses a config that no run can come of.
fn check(config: &Config) -> Result<()> {
    config.extract::<TrainConfig>()?.check()?;
    Ok(())
}

/// Trains one run of a command line.
fn train_job(job: Job, arguments: &Arguments) -> Result<()> {
    let begin = Instant::now();
    record::forget_peak_memory();
    let config: TrainConfig = job.config().extract()?;
    let directory = job.directory()?;
    if let Some(root) = directory.as_deref().filter(|root| job.begun_before() && is_complete(root)) {
        if job.is_of_sweep() {
            if job.config().digest()? != record::read_origin(root)?.config.digest {
                return Err(Failure::new(format!(
                    "{}: expected this job's run, got another run, which is complete and signed",
                    root.display()
                )));
            }
            eprintln!("{} is complete and signed already", root.display());
            return Ok(());
        }
        return Err(Failure::new(format!("{} is complete and signed: there is nothing to go on with", root.display())));
    }
    // An experiment is one folder: a path in it could lead anywhere.
    if config.experiment.contains('/') || RelativePath::parse(&config.experiment).is_err() {
        let (key, expected, got) = ("experiment", "the name of a folder", config.experiment.clone());
        return Err(UnsupportedSetting::Invalid { key, expected, got }.into());
    }
    let config = config.check()?;
    if let Some(root) = directory.as_deref().filter(|_| !job.begun_before()) {
        // It is looked at again when it is made: here only so that hours of calibration are not in vain.
        RunDirectory::check_new(root)?;
    }
    let trainer = config.trainer();
    let choice = device::choose(trainer.accelerator, trainer.numerics)?;
    let computing = computing(&choice, trainer);
    eprintln!("computing on {computing}");
    let key = arguments.key()?;

    let mut stages = Stages::new();
    training::prepare(&config, &mut shown(&mut stages))?;
    stages.show("hashing the data", 0, 1, "");
    // What is trained on is read through the lists made here, each file checked against them as it is read. At the end
    // everything is read again: a list that rests on remembered digests is not signed unseen.
    let data = digests::with_cache(!arguments.no_cache, |cache| DataSets::hash(&config, cache))?;
    let task = training::build_task(&config, &data.raw(), &data.derived())?;
    training::check(&config, &task)?;
    let Start { mut run, origin, checkpoint, unmeasured } = Start::of(job, directory, &config, &data, &choice)?;
    if let Some(why) = record::audit_difference(&origin, &arguments.compose.selection.composer(PRIMARY)?) {
        eprintln!("Warning: an audit will not compose the config that is signed: {why}");
    }

    let training =
        TrainingRun { device: &choice.device, checkpoint, stop_after_steps: None, elapsed: &|| begin.elapsed() };
    let trained = train(&config, &task, training, &mut run, &mut stages)?;
    let trained = Trained { peak_device_bytes: trained.peak_device_bytes.filter(|_| !unmeasured), ..trained };
    let verify = verify_command(run.root(), arguments, &origin);
    stages.show("signing", 0, 1, "");
    data.check_unchanged()?;
    let wall_seconds = run.elapsed_before_seconds() + begin.elapsed().as_secs_f64();
    let root = record::sign(&run, origin, &config, &trained, wall_seconds, key)?;
    stages.finish();
    summarise(run.root(), trainer, &computing, &trained, &root, key)?;
    outln!("verify     {verify}");
    Ok(())
}

/// Device and arithmetic, and why that device.
fn computing(choice: &Choice, trainer: &SupportedTrainer) -> String {
    let Choice { device, why, .. } = choice;
    let numerics = match trainer.numerics {
        Numerics::Portable => format!("portable numerics {NUMERICS_VERSION}"),
        Numerics::Native => "native numerics".to_owned(),
    };
    format!("{device}, {numerics}, precision {}: chosen because {why}", trainer.precision)
}

/// What a run starts, or goes on, from.
struct Start {
    run: RunDirectory,
    origin: RunOrigin,
    checkpoint: Option<Snapshot>,
    /// Whether another process may have held device memory for this run, which nobody can measure any more.
    unmeasured: bool,
}

impl Start {
    fn of(
        job: Job,
        directory: Option<PathBuf>,
        config: &TrainConfig,
        data: &DataSets,
        choice: &Choice,
    ) -> Result<Self> {
        if let Some(root) = directory.as_deref().filter(|root| job.begun_before() && root.exists()) {
            if root.join(ORIGIN).exists() {
                return Self::resumed(root, job.config(), config, data, choice);
            }
            // Killed before there was anything to go on with.
            let aside = unused(&root.with_extension("unfinished"));
            std::fs::rename(root, &aside).with_context(|| format!("cannot rename {}", root.display()))?;
        }
        Self::fresh(job, directory, config, data, choice)
    }

    fn fresh(
        job: Job,
        directory: Option<PathBuf>,
        config: &TrainConfig,
        data: &DataSets,
        choice: &Choice,
    ) -> Result<Self> {
        let composed = job.config();
        let digest = composed.digest()?.to_string();
        let started = record::now().0.strftime("%Y%m%dT%H%M%SZ").to_string();
        let id = format!("{started}-{}", &digest[..12]);
        let root = directory.unwrap_or_else(|| unused(&config.run.root.join(&config.experiment).join(&id)));
        let sources = Sources::read(composed, config)?;
        let name = composed.config_name().unwrap_or(PRIMARY);
        let origin = record::origin(composed, name, config, &id, data, &sources, choice)?;
        let mut run = RunDirectory::create(&root, config.logger)?;
        data.write(&run)?;
        sources.write(&run)?;
        job.begin_in(&root)?;
        record::write_origin(&run, &origin)?;
        run.note(&format!("# Run {id}\n\nconfig {digest}, {} overrides", origin.config.overrides.len()))?;
        Ok(Self { run, origin, checkpoint: None, unmeasured: false })
    }

    fn resumed(root: &Path, composed: &Config, config: &TrainConfig, data: &DataSets, choice: &Choice) -> Result<Self> {
        let recorded = record::read_origin(root)?;
        let sources = Sources::read(composed, config)?;
        let found = record::origin(composed, &recorded.config.name, config, &recorded.run.id, data, &sources, choice)?;
        if let Some(difference) = recorded.first_difference(&found) {
            return Err(Failure::new(format!(
                "{}: expected the {difference} the run began with, got another",
                root.display()
            )));
        }
        if !config.logger.events {
            return Err(Failure::new(format!(
                "{}: expected logs/events.jsonl (logger.events=true) to count the time so far, got none",
                root.display()
            )));
        }
        let checkpoint = newest_checkpoint(root)?;
        let step = checkpoint.as_ref().map_or(0, |snapshot| snapshot.progress.position.step);
        let mut run = RunDirectory::resume(root, config.logger, step, MANIFEST)?;
        data.write(&run)?;
        run.note(&format!("- resumed at step {step}"))?;
        eprintln!("going on after step {step}");
        let unmeasured = [&recorded.device, &found.device].iter().any(|device| device.accelerator != Kind::Cpu.name());
        let origin = RunOrigin { environment: found.environment, device: found.device, ..recorded };
        Ok(Self { run, origin, checkpoint, unmeasured })
    }
}

/// Whether a run has a manifest that says it was completed.
fn is_complete(root: &Path) -> bool {
    let exit = std::fs::read(root.join(MANIFEST)).ok().and_then(|manifest| read_unverified(&manifest).ok());
    exit.is_some_and(|claim| matches!(claim.predicate.exit.reason, ExitReason::Completed | ExitReason::EarlyStopped))
}

/// The one of `last` and `final` with more steps; none when the run ended before its first checkpoint.
fn newest_checkpoint(root: &Path) -> Result<Option<Snapshot>> {
    let mut newest: Option<Snapshot> = None;
    for name in [LAST_CHECKPOINT, FINAL_CHECKPOINT] {
        let path = root.join(name);
        if path.exists() {
            let snapshot = Snapshot::read(&path)?;
            let step = |snapshot: &Snapshot| snapshot.progress.position.step;
            if newest.as_ref().is_none_or(|newest| step(&snapshot) > step(newest)) {
                newest = Some(snapshot);
            }
        }
    }
    Ok(newest)
}

/// The path, or the path with the first free number: two runs may start in one second.
fn unused(path: &Path) -> PathBuf {
    let numbered = (2..).map(|number| {
        path.with_file_name(format!("{}-{number}", path.file_name().unwrap_or_default().to_string_lossy()))
    });
    let mut candidates = std::iter::once(path.to_owned()).chain(numbered);
    candidates.find(|path| path.symlink_metadata().is_err()).expect("numbers do not end")
}

fn train(
    config: &CheckedTrain,
    task: &SpectrumTask,
    training: TrainingRun<'_>,
    run: &mut RunDirectory,
    stages: &mut Stages,
) -> Result<Trained> {
    let (mut total, mut score) = (0, String::new());
    let mut observer = |event: Event<'_>| {
        match event {
            Event::Started { done, planned } => {
                total = planned;
                stages.show("training", done, planned, "");
            }
            Event::Step { leaf, loss } => {
                stages.show("training", leaf.step, total, &format!("loss {loss:.4}{score}"));
            }
            Event::Validated { metrics, .. } => {
                if let Some(metric) = metrics.iter().find(|metric| metric.name == "val/score_unclipped") {
                    score = format!(", val/score_unclipped {:.4}", metric.value);
                }
            }
            Event::Checkpoint { .. } => {}
        }
        ControlFlow::Continue(())
    };
    Ok(training::train(config, task, training, run, &mut observer)?)
}

fn summarise(
    run: &Path,
    trainer: &SupportedTrainer,
    computing: &str,
    trained: &Trained,
    root: &Blake3Digest,
    key: &SigningKey,
) -> Result<()> {
    let value = |name: &str| trained.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value);
    outln!("run        {}", run.display());
    outln!(
        "exit       {}",
        match trained.exit {
            Exit::Completed => format!("completed, {} steps", trained.steps),
            Exit::EarlyStopped => format!("stopped early, {} steps", trained.steps),
            _ => format!("stopped at trainer.max_time, {} steps; go on with --resume", trained.steps),
        }
    );
    match (value("test/score"), value("test/score_fgs1"), value("test/score_airs")) {
        (Some(score), Some(fgs1), Some(airs)) => {
            outln!("score      {score:.4} on held-out planets (FGS1 {fgs1:.4}, AIRS {airs:.4})");
        }
        _ => outln!("score      none: no planets were held out"),
    }
    outln!("step root  {root}");
    outln!("signed by  {}", key.public().keyid());
    outln!("profile    {}", trainer.name);
    outln!("device     {computing}");
    Ok(())
}

/// The command that re-checks the run here, to paste.
fn verify_command(run: &Path, arguments: &Arguments, origin: &RunOrigin) -> String {
    let mut words = vec![verifier(), "audit".into(), quoted(&run.display().to_string())];
    if let Some(key) = &arguments.signing_key {
        words.extend(["--key".into(), quoted(&keys::public_path(key).display().to_string())]);
    }
    if let Some(configs) = arguments.compose.config_path() {
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
fn verifier() -> String {
    let name = format!("spectramind-verify{}", std::env::consts::EXE_SUFFIX);
    let beside =
        std::env::current_exe().ok().map(|program| program.with_file_name(&name)).filter(|path| path.is_file());
    let Some(beside) = beside else { return name };
    let here = std::env::current_dir().ok();
    let shown = here.and_then(|here| beside.strip_prefix(here).ok().map(Path::to_owned)).unwrap_or(beside);
    quoted(&shown.display().to_string())
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
