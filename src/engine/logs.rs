//! The logs of a run, which say what happened: of every event a line for programs, lines of figures, and lines for a person.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::run_dir::{RunDirError, append, at, complete_lines, whole};
use super::settings::LoggerSettings;
use crate::durable;
use crate::event_log::{DEBUG_LOG, EVENTS, EventLog, Head, METRICS, METRICS_HEADER, RunEvent, is_final};
use crate::logger::{End, Loggers};

/// The logs that are kept, open to be appended to.
#[derive(Debug)]
pub(super) struct Logs {
    events: Option<File>,
    head: Head,
    metrics: Option<File>,
    debug_log: Option<File>,
    loggers: Option<Loggers>,
    elapsed_before_seconds: f64,
}

impl Logs {
    /// Begins logs.
    pub fn create(root: &Path, logger: LoggerSettings) -> Result<Self, RunDirError> {
        let mut logs = Self::open(root, logger)?;
        write(logs.metrics.as_mut(), root, METRICS, METRICS_HEADER)?;
        Ok(logs)
    }

    /// Goes on with the logs of a run after `step`: without figures from after it, and without lines that were cut.
    pub fn resume(root: &Path, logger: LoggerSettings, step: u64) -> Result<Self, RunDirError> {
        if logger.metrics {
            // The final test is made again when the run ends again.
            let is_kept = |line: &String| {
                let mut fields = line.split(',');
                let is_reached = fields.next().and_then(|s| s.parse::<u64>().ok()).is_some_and(|s| s <= step);
                is_reached && !fields.nth(1).is_some_and(is_final)
            };
            let kept: Vec<String> = complete_lines(&root.join(METRICS))?.into_iter().filter(is_kept).collect();
            begin_again(root, METRICS, &format!("{METRICS_HEADER}{}", whole(&kept)))?;
        }
        let (mut head, mut elapsed) = (Head::of_nothing(), 0.0);
        if logger.events {
            let path = root.join(EVENTS);
            let text = whole(&complete_lines(&path)?);
            // One that somebody else wrote to is refused now: the run could not be signed at its end.
            let log = EventLog::read(&text).map_err(|source| RunDirError::Events { path, source })?;
            begin_again(root, EVENTS, &text)?;
            head = log.head;
            elapsed = log.lines.last().map_or(0.0, |last| last.elapsed_seconds);
            if logger.debug_log {
                begin_again(root, DEBUG_LOG, &log.for_people())?;
            }
        }
        Ok(Self { head, elapsed_before_seconds: elapsed, ..Self::open(root, logger)? })
    }

    fn open(root: &Path, logger: LoggerSettings) -> Result<Self, RunDirError> {
        Ok(Self {
            events: logger.events.then(|| append(root, EVENTS)).transpose()?,
            head: Head::of_nothing(),
            metrics: logger.metrics.then(|| append(root, METRICS)).transpose()?,
            debug_log: logger.debug_log.then(|| append(root, DEBUG_LOG)).transpose()?,
            loggers: None,
            elapsed_before_seconds: 0.0,
        })
    }

    /// Says what happened, `elapsed_seconds` after this process began.
    pub fn record(&mut self, root: &Path, elapsed_seconds: f64, step: u64, event: RunEvent) -> Result<(), RunDirError> {
        let (line, text) = self.head.append(self.elapsed_before_seconds + elapsed_seconds, step, event);
        write(self.metrics.as_mut(), root, METRICS, &line.metrics())?;
        write(self.events.as_mut(), root, EVENTS, &(text + "\n"))?;
        write(self.debug_log.as_mut(), root, DEBUG_LOG, &line.for_people())?;
        if let Some(loggers) = &mut self.loggers {
            loggers.hear(&line);
        }
        Ok(())
    }

    /// Lets loggers hear of what happens from now on.
    pub fn attach(&mut self, loggers: Loggers) {
        self.loggers = Some(loggers);
    }

    /// Ends the loggers.
    pub fn end_loggers(&mut self, end: &End) {
        if let Some(loggers) = self.loggers.take() {
            loggers.end(end);
        }
    }

    /// Where the log of events ends, if one is kept.
    pub fn head(&self) -> Option<Head> {
        self.events.as_ref().map(|_| self.head)
    }

    /// Seconds that earlier processes spent on this run, by the last event each of them logged.
    pub fn elapsed_before_seconds(&self) -> f64 {
        self.elapsed_before_seconds
    }

    /// Makes what was written durable.
    pub fn sync(&self, root: &Path) -> Result<(), RunDirError> {
        for (file, name) in [(&self.events, EVENTS), (&self.metrics, METRICS), (&self.debug_log, DEBUG_LOG)] {
            if let Some(file) = file {
                file.sync_all().map_err(at(&root.join(name)))?;
            }
        }
        Ok(())
    }
}

/// One write call: what a crash leaves is whole lines and at most one cut one.
fn write(file: Option<&mut File>, root: &Path, name: &str, text: &str) -> Result<(), RunDirError> {
    let Some(file) = file else { return Ok(()) };
    file.write_all(text.as_bytes()).map_err(at(&root.join(name)))
}

/// Replaces a file that will be appended to.
fn begin_again(root: &Path, name: &str, text: &str) -> Result<(), RunDirError> {
    let path = root.join(name);
    durable::write_whole(&path, text.as_bytes()).map_err(at(&path))
}
