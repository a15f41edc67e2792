//! The loggers of other tools, fed with the events of a run: TensorBoard and Weights & Biases.
//!
//! What they write is the trainer's own word, and has wall clocks in it: nothing of it reaches a step, a state or a digest
//! of one, and a replay makes none of it. A logger that fails is left out from there on, with one warning, and the run goes on.

mod params;
mod tensorboard;
mod wandb;

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::event_log::{EventLine, Figure, standing};

pub use self::params::{Param, flattened};

/// Folder of TensorBoard's file inside a run directory.
pub const TENSORBOARD: &str = "logs/tensorboard";
/// Folder of the offline run of Weights & Biases inside a run directory.
pub const WANDB: &str = "logs/wandb";

/// Whom to log for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An event file.
    TensorBoard,
    /// An offline run directory.
    Wandb,
}

/// The run that is logged.
#[derive(Debug, Clone)]
pub struct About {
    /// Its identifier.
    pub run: String,
    /// The experiment that it is of.
    pub experiment: String,
    /// The calendar time at which it had taken no time yet. Of a run that was resumed, without the pauses.
    pub began: jiff::Timestamp,
    /// Its composed config.
    pub params: Vec<Param>,
}

/// How the run ended.
#[derive(Debug, Clone)]
pub struct End {
    /// Why, in words.
    pub exit: String,
    /// The Merkle root of its steps.
    pub step_root: String,
    /// Seconds that it took, in all its processes.
    pub elapsed_seconds: f64,
}

/// Figures of a step.
struct Point<'a> {
    step: u64,
    epoch: u32,
    elapsed_seconds: f64,
    figures: &'a [Figure],
}

/// A file of another tool.
trait Sink: Debug + Send + Sync {
    fn log(&mut self, point: &Point<'_>) -> io::Result<()>;
    fn end(&mut self, end: &End) -> io::Result<()>;
}

/// What went wrong with loggers, to be told by whoever holds a clone of this.
#[derive(Debug, Clone, Default)]
pub struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    /// Those that were not taken yet.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, kind: Kind, error: &io::Error) {
        let name = match kind {
            Kind::TensorBoard => "logger.tensorboard",
            Kind::Wandb => "logger.wandb",
        };
        let warning = format!("{name}: {error}; the run goes on without this logger");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(warning);
    }
}

/// The loggers of a run.
#[derive(Debug)]
pub struct Loggers {
    sinks: Vec<(Kind, Box<dyn Sink>)>,
    warnings: Warnings,
}

impl Loggers {
    /// Begins their files anew, with what a run has logged so far: the figures of steps that are made again are not in them.
    pub fn begin(root: &Path, kinds: &[Kind], about: &About, so_far: &[EventLine], warnings: Warnings) -> Self {
        let mut loggers = Self { sinks: Vec::new(), warnings };
        for kind in kinds {
            let sink = match kind {
                Kind::TensorBoard => tensorboard::EventFile::begin(&root.join(TENSORBOARD), about).map(boxed),
                Kind::Wandb => wandb::OfflineRun::begin(&root.join(WANDB), about).map(boxed),
            };
            match sink {
                Ok(sink) => loggers.sinks.push((*kind, sink)),
                Err(error) => loggers.warnings.push(*kind, &error),
            }
        }
        standing(so_far).iter().for_each(|line| loggers.hear(line));
        loggers
    }

    /// Logs an event, if it has figures.
    pub fn hear(&mut self, line: &EventLine) {
        let Some((epoch, figures)) = line.event.figures() else { return };
        if !figures.is_empty() {
            let point = Point { step: line.step, epoch, elapsed_seconds: line.elapsed_seconds, figures };
            self.each(|sink| sink.log(&point));
        }
    }

    /// Says how the run ended, and ends with it.
    pub fn end(mut self, end: &End) {
        self.each(|sink| sink.end(end));
    }

    fn each(&mut self, mut act: impl FnMut(&mut dyn Sink) -> io::Result<()>) {
        let warnings = &self.warnings;
        self.sinks
            .retain_mut(|(kind, sink)| act(sink.as_mut()).inspect_err(|error| warnings.push(*kind, error)).is_ok());
    }
}

fn boxed<S: Sink + 'static>(sink: S) -> Box<dyn Sink> {
    Box::new(sink)
}

/// A folder with nothing in it: what an earlier process logged is in the log of events.
fn emptied(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(named(folder, error)),
        _ => {}
    }
    std::fs::create_dir_all(folder).map_err(|error| named(folder, error))
}

/// An error with the file that it is about.
fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_log::RunEvent;

    /// Fails at the second point.
    #[derive(Debug, Default)]
    struct Full {
        points: u32,
    }

    impl Sink for Full {
        fn log(&mut self, _: &Point<'_>) -> io::Result<()> {
            self.points += 1;
            if self.points == 2 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }

        fn end(&mut self, _: &End) -> io::Result<()> {
            panic!("it was left out")
        }
    }

    #[test]
    fn a_logger_that_fails_is_told_of_once_and_left_out() {
        let warnings = Warnings::default();
        let sinks = vec![(Kind::Wandb, boxed(Full::default()))];
        let mut loggers = Loggers { sinks, warnings: warnings.clone() };
        let figures = vec![Figure { name: "train/loss".into(), value: 1.0 }];
        let event = RunEvent::Trained { epoch: 1, figures };
        let line =
            |step| EventLine { previous: blake3::hash(b"").into(), elapsed_seconds: 0.0, step, event: event.clone() };
        loggers.hear(&line(1));
        assert_eq!(warnings.take(), [""; 0]);
        (2..9).for_each(|step| loggers.hear(&line(step)));
        loggers.end(&End { exit: "completed".into(), step_root: String::new(), elapsed_seconds: 1.0 });
        let told = warnings.take();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("logger.wandb: ") && told[0].ends_with("goes on without this logger"), "{told:?}");
    }
}
