//! Running a command and signing what it made: from a composed config to a manifest.
//!
//! ```text
//! inputs hashed → run directory: .hydra/, config, what the run starts from → the command runs → it ended with 0, left the
//! directory, the inputs and the sources as they were → outputs and metrics found → signed
//! ```
//! One that somebody stopped, with a signal to this program that it was handed on, is signed as interrupted, whatever it exited with.
//! Nothing else is signed. The run directory of a command that ended in another way stays, with its output and
//! `logs/end.json`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::PRIMARY;
use super::config::CheckedCommand;
use super::environment::CommandEnvironment;
use super::metrics;
use super::outputs::FilesBefore;
use super::stage::{Stage, passed};
use crate::config::Config;
use crate::engine::run_dir::RunDirectory;
use crate::engine::task::Metric;
use crate::engine::written::WrittenFiles;
use crate::envelope::{Enforcement, NetworkFigure, NetworkRule};
use crate::failure::{Advice, Context, Failure};
use crate::manifest::key::SigningKey;
use crate::manifest::origin::{CommandOrigin, ComputationOrigin, RunOrigin};
use crate::manifest::predicate::{COMMAND_WORKLOAD, CommandRecord, Computation, ExitReason, RunRecord, SandboxRecord};
use crate::network;
use crate::process::sandbox::Sandbox;
use crate::process::{End, Finished, Status, Stream};
use crate::provenance::data::DigestCache;
use crate::provenance::path::RelativePath;
use crate::run::{
    About, DataSets, HashedSet, Outcome, Place, Signed, Sources, Surroundings, origin, run_id, sign, unused,
    write_beginning,
};
use crate::verify::{COMMAND_END, COMMAND_STDERR, COMMAND_STDOUT, MANIFEST, VERDICT, command_configs};

/// Folder of the runs that have a directory of their own.
const RUNS: &str = "runs";

/// What a run is made from.
pub struct Recording<'a> {
    /// The composed config.
    pub config: &'a Config,
    /// The words of the command, `{config}` and `{run}` among them.
    pub words: &'a [String],
    /// Where it goes.
    pub place: Place,
    /// Begins the run in its directory: makes it the one that this run has, and writes Hydra's record there.
    pub begin: &'a mut dyn FnMut(&Path) -> Result<(), Failure>,
    /// Digests of inputs that were read before.
    pub cache: Option<&'a DigestCache>,
    /// The world around it.
    pub surroundings: Surroundings<'a>,
    /// A folder for the temporary files of this command alone.
    pub temporary: &'a Path,
    /// The key it is signed with.
    pub key: &'a SigningKey,
    /// Hears what is going on.
    pub news: &'a mut dyn FnMut(News<'_>),
}

/// What is going on.
pub enum News<'a> {
    /// An input is hashed.
    Hashing(&'a Path),
    /// The run begins, from this, kept from writing elsewhere by that.
    Begun(&'a RunOrigin, &'a Sandbox),
    /// The command printed something.
    Output(Stream, &'a [u8]),
    /// It has ended.
    Ended(&'a Finished),
}

/// A run that was signed.
#[derive(Debug)]
pub struct Recorded {
    /// Where it is, and from what.
    pub signed: Signed,
    /// What it took.
    pub finished: Finished,
    /// The files that a replay compares.
    pub outputs: Vec<RelativePath>,
    /// What it says that it reached.
    pub metrics: Vec<Metric>,
    /// What kept it from writing elsewhere.
    pub sandbox: SandboxRecord,
}

/// A command of which nothing is signed.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It ended in another way than with 0.
    #[error("the command {}; nothing is signed", said(.end, .command))]
    Ended {
        /// How.
        end: End,
        /// By which config.
        command: Box<CheckedCommand>,
        /// Names of processes that it left.
        left: Vec<String>,
        /// Where its output is.
        run: PathBuf,
    },
    /// Not every process of it is gone.
    #[error("{count} processes of the command could not be ended; nothing is signed")]
    Survived {
        /// How many.
        count: u32,
    },
    /// It changed the sources that it ran from.
    #[error("the sources changed while the command ran: {what}; nothing is signed")]
    SourcesChanged {
        /// What of them.
        what: String,
    },
    /// It made a file that every record has of its own.
    #[error("{path}: the command made a file of this name, which every record has of its own; nothing is signed")]
    Taken {
        /// The file, below the run directory.
        path: RelativePath,
    },
    /// Its config declares outputs, and it made none of them.
    #[error("command.outputs: expected at least one file that the command made, got none; nothing is signed")]
    NoOutputs,
}

fn said(end: &End, command: &CheckedCommand) -> String {
    match end {
        End::Exited(code) => format!("exited with {code}: expected 0"),
        End::Signalled(signal) => format!("was ended by signal {signal}"),
        End::WallLimit => {
            format!(
                "ran for more than command.wall_seconds={}, and was ended",
                command.wall_seconds.unwrap_or_default()
            )
        }
        End::OutputLimit => format!("printed more than command.output_bytes={}, and was ended", command.output_bytes),
        End::DirectoryLimit => {
            let limit = command.directory_bytes.unwrap_or_default();
            format!("wrote more than command.directory_bytes={limit} into its run directory, and was ended")
        }
        End::Stopped => "was stopped".to_owned(),
        End::LeftProcesses(count) => format!("ended and left {count} of its processes running, which were ended"),
    }
}

impl Advice for RecordError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Ended { end: End::LeftProcesses(_), left, .. } => {
                format!("let it wait for what it starts: {}", left.join(", "))
            }
            Self::Ended { end: End::Exited(_) | End::Signalled(_) | End::Stopped, run, .. } => {
                format!("what it printed is in {}", run.join("logs").display())
            }
            Self::Ended { run, .. } => {
                format!("set a larger limit; what it printed is in {}", run.join("logs").display())
            }
            Self::Survived { .. } => "they wait in the kernel: look at the device they use".into(),
            Self::SourcesChanged { .. } => {
                "let it write into its run directory alone ({run}, SPECTRAMIND_RUN_DIR), and change nothing meanwhile"
                    .into()
            }
            Self::Taken { .. } => "choose another name".into(),
            Self::NoOutputs => "correct the patterns: they are matched below the run directory".into(),
        })
    }
}

/// `logs/end.json`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EndLog<'a> {
    end: &'a End,
    wall_seconds: f64,
    peak_bytes: u64,
    left: &'a [String],
    survivors: u32,
    stdout_bytes: u64,
    stderr_bytes: u64,
}

/// Runs a command and signs what it made.
///
/// # Errors
/// Whatever keeps the run from being made or signed; [`RecordError`] is the command's own doing.
pub fn record(recording: Recording<'_>) -> Result<Recorded, Failure> {
    let Recording { config, words, place, begin, cache, surroundings, temporary, key, news } = recording;
    let command = CheckedCommand::of(config)?;
    if words.is_empty() {
        return Err(Failure::usage("expected a command, got no words", "put the words of the command after --"));
    }
    let configs = command_configs(config)?;
    let mut data = DataSets::default();
    for set in command.data_sets() {
        news(News::Hashing(&set.root));
        data.push(HashedSet::hash(set, command.dvc, cache)?);
    }
    let reads = reads(config, &data, words);
    let sources = Sources::read(&reads, command.keep_diff)?;

    let digest = config.digest()?.to_string();
    let id = run_id(&surroundings, &digest);
    let root = directory(&place, &command, &id)?;
    begin(&root)?;
    let root_shown = root;
    let root = std::path::absolute(&root_shown).context("the working directory cannot be read")?;
    let parent = passed(&command, surroundings.variable);
    let config_file = root.join(crate::verify::COMMAND_CONFIG_YAML);
    let environment = CommandEnvironment::new(&command.environment, parent, &config_file, &root, temporary);
    let about = About {
        run: RunRecord {
            id,
            experiment: command.experiment.clone(),
            challenge: command.challenge.clone(),
            nonce: command.nonce.clone(),
        },
        workload: COMMAND_WORKLOAD,
        config_name: config.config_name().unwrap_or(PRIMARY),
        told: &[],
        environment: environment.recorded(),
        computation: ComputationOrigin::Command(CommandOrigin { words: words.to_vec() }),
    };
    let origin = origin(about, config, &data, &sources, &surroundings)?;
    let files = WrittenFiles::new(&root);
    for (name, text) in configs {
        files.write_file(name, &text)?;
    }
    write_beginning(&files, &origin, &data, &sources)?;

    let stage = Stage {
        words,
        command: &command,
        folder: Path::new("."),
        run: &root,
        temporary,
        environment: &environment,
        wall: command.wall_seconds.map(Duration::from_secs),
    };
    let confinement = stage.confinement()?;
    news(News::Begun(&origin, confinement.in_force()));
    let before = FilesBefore::of(&root)?;
    let mut output = |stream: Stream, bytes: &[u8]| news(News::Output(stream, bytes));
    let finished = stage.run(&confinement, &mut output, surroundings.interruption)?;
    news(News::Ended(&finished));
    judge(&finished, &command, &root_shown).inspect_err(|_| drop(write_end(&files, &finished)))?;

    let made = before.outputs(&root, &[COMMAND_STDOUT, COMMAND_STDERR]).context("the run is not signed")?;
    let is_taken = |path: &RelativePath| [MANIFEST, VERDICT, COMMAND_END].contains(&path.as_str());
    if let Some(output) = made.iter().find(|output| is_taken(&output.path)) {
        return Err(RecordError::Taken { path: output.path.clone() }.into());
    }
    write_end(&files, &finished)?;
    files.check_unchanged().context("the run is not signed")?;
    data.check_unchanged()?;
    compare_sources(&sources, &Sources::read(&reads, false)?)?;
    let outputs: Vec<_> =
        made.into_iter().map(|made| made.path).filter(|path| command.outputs().matches(path.as_str())).collect();
    let is_stopped = finished.end == End::Stopped;
    if outputs.is_empty() && command.declares_outputs() && !is_stopped {
        return Err(RecordError::NoOutputs.into());
    }
    let metrics: Vec<_> = metrics::read(&root, &command.metrics)
        .context("the run is not signed")?
        .into_iter()
        .map(|(name, value)| Metric { name, value })
        .collect();
    let sandbox = SandboxRecord::from(confinement.in_force());
    let outcome = Outcome {
        computation: Computation::Command(CommandRecord {
            words: words.to_vec(),
            exit_code: exit_code(&finished),
            sandbox: sandbox.clone(),
        }),
        outputs: outputs.clone(),
        // Over how many samples a command does not say.
        metrics: metrics.iter().map(|metric| (metric.clone(), 0)).collect(),
        bounds: command.bounds(),
        network: match command.network {
            // The stage has tried the filter, and the command has entered it, or it would not have begun.
            NetworkRule::Deny => network::DENIED,
            rule => NetworkFigure { mode: rule.bound(), enforcement: Enforcement::SelfAsserted },
        },
        wall_seconds: finished.wall_seconds,
        peak_host_bytes: Some(finished.peak_bytes),
        peak_device_bytes: None,
        exit: if is_stopped { ExitReason::Interrupted } else { ExitReason::Completed },
    };
    let origin = sign(&files, origin, outcome, &surroundings, key)?;
    let signed = Signed { root: root_shown, origin, step_root: None };
    Ok(Recorded { signed, finished, outputs, metrics, sandbox })
}

/// What the run reads of the work tree, as far as it is known: configs, inputs, and files that the command's words name.
fn reads(config: &Config, data: &DataSets, words: &[String]) -> Vec<PathBuf> {
    let configs = config.sources().iter().filter_map(|source| source.absolute.clone());
    let named = words.iter().map(PathBuf::from).filter(|path| path.is_file());
    configs.chain(data.roots().map(Path::to_owned)).chain(named).collect()
}

/// Makes the run directory; one in which the run was begun before, and not ended, is put aside.
fn directory(place: &Place, command: &CheckedCommand, id: &str) -> Result<PathBuf, Failure> {
    let root = match place.directory() {
        Some(directory) => directory.to_owned(),
        None => unused(&Path::new(RUNS).join(&command.experiment).join(id)),
    };
    if matches!(place, Place::Begun(_)) && root.exists() {
        let aside = unused(&root.with_extension("unfinished"));
        std::fs::rename(&root, &aside).with_context(|| format!("cannot rename {}", root.display()))?;
    }
    RunDirectory::check_new(&root)?;
    std::fs::create_dir_all(&root).with_context(|| format!("cannot create {}", root.display()))?;
    Ok(root)
}

fn judge(finished: &Finished, command: &CheckedCommand, run: &Path) -> Result<(), RecordError> {
    match &finished.end {
        _ if finished.survivors > 0 => Err(RecordError::Survived { count: finished.survivors }),
        // What there is of it is signed as that of a run that somebody stopped.
        End::Exited(0) | End::Stopped => Ok(()),
        end => Err(RecordError::Ended {
            end: end.clone(),
            command: Box::new(command.clone()),
            left: finished.left.clone(),
            run: run.to_owned(),
        }),
    }
}

/// The code that a command exited with; of one that a signal ended, as shells have it.
fn exit_code(finished: &Finished) -> i32 {
    match finished.status {
        Some(Status::Exited(code)) => code,
        Some(Status::Signalled(signal)) => 128 + signal,
        // Nothing is signed of what could not be ended.
        None => 128 + libc::SIGKILL,
    }
}

/// Writes how the command ended, unless it made a file of that name itself.
fn write_end(files: &WrittenFiles, finished: &Finished) -> Result<(), Failure> {
    if files.root().join(COMMAND_END).symlink_metadata().is_ok() {
        return Ok(());
    }
    let Finished { end, wall_seconds, peak_bytes, left, survivors, stdout_bytes, stderr_bytes, .. } = finished;
    let (wall_seconds, peak_bytes, survivors) = (*wall_seconds, *peak_bytes, *survivors);
    let (stdout_bytes, stderr_bytes) = (*stdout_bytes, *stderr_bytes);
    let log = EndLog { end, wall_seconds, peak_bytes, left, survivors, stdout_bytes, stderr_bytes };
    let mut text = serde_json::to_vec_pretty(&log)?;
    text.push(b'\n');
    Ok(files.write_file(COMMAND_END, &text)?)
}

/// Refuses a run whose sources are not what they were when it began.
fn compare_sources(before: &Sources, after: &Sources) -> Result<(), RecordError> {
    let what = match (before.record(), after.record()) {
        (None, None) => return Ok(()),
        (Some(before), Some(after)) if before.has_files_of(after) && before.commit == after.commit => return Ok(()),
        (Some(before), Some(after)) if before.commit != after.commit => {
            format!("commit: expected {}, got {}", before.commit, after.commit)
        }
        (Some(before), Some(after)) => {
            let new: Vec<_> = after.changed.iter().filter(|path| !before.changed.contains(path)).cloned().collect();
            if new.is_empty() { after.changed.join(", ") } else { new.join(", ") }
        }
        _ => "there was a repository, or there is one now".to_owned(),
    };
    Err(RecordError::SourcesChanged { what })
}
