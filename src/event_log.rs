//! `logs/events.jsonl`: what happened when in a training, each line with the digest of the line before it.
//!
//! The times are the trainer's own clock. A chain binds the order: whoever kept a part of the log while the run was made can
//! say later whether it is the beginning of the signed one.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Blake3Digest;
use crate::failure::Advice;

/// Name of the log inside a run directory.
pub const EVENTS: &str = "logs/events.jsonl";
/// Name of the same for a person.
pub const DEBUG_LOG: &str = "v50_debug_log.md";
/// Name of its figures as a table.
pub const METRICS: &str = "logs/metrics.csv";
/// The first line of that.
pub(crate) const METRICS_HEADER: &str = "step,epoch,metric,value\n";

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventLine {
    /// BLAKE3 of the line before it, without its line end; of the first line, of nothing.
    pub previous: Blake3Digest,
    /// Seconds that the run has taken so far, in all its processes.
    pub elapsed_seconds: f64,
    /// Optimizer steps done.
    pub step: u64,
    /// What happened.
    pub event: RunEvent,
}

/// How the names of figures of the final test begin: of the state that was tested, and of the last one.
pub(crate) const FINAL_FIGURES: [&str; 2] = ["test/", "last/"];

/// Whether a figure is of the final test, which is made again when the run ends again.
pub fn is_final(figure: &str) -> bool {
    FINAL_FIGURES.iter().any(|begin| figure.starts_with(begin))
}

/// The lines with figures that a run still has: those of steps that were made again after a resumption are there once.
pub fn standing(lines: &[EventLine]) -> Vec<EventLine> {
    let mut standing: Vec<EventLine> = Vec::new();
    for line in lines {
        if line.event == RunEvent::Resumed {
            standing.retain(|earlier| earlier.step <= line.step);
            let figures = standing.iter_mut().filter_map(|earlier| earlier.event.figures_mut());
            figures.for_each(|figures| figures.retain(|figure| !is_final(&figure.name)));
        } else if line.event.figures().is_some() {
            standing.push(line.clone());
        }
    }
    standing
}

/// What happened in a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum RunEvent {
    /// The run began.
    Begun {
        /// Its identifier.
        run: String,
        /// The digest of its config.
        config: Blake3Digest,
    },
    /// Another process went on with it, from a checkpoint.
    Resumed,
    /// Figures of training, of every so many steps and of every epoch.
    Trained {
        /// The epoch of the last step.
        epoch: u32,
        /// The figures.
        figures: Vec<Figure>,
    },
    /// A state was validated.
    Validated {
        /// The epoch of the last step.
        epoch: u32,
        /// The figures.
        figures: Vec<Figure>,
    },
    /// A checkpoint was written.
    Checkpoint {
        /// Its path inside the run directory.
        file: String,
    },
    /// A state for an auditor was written.
    AuditPoint {
        /// Its path inside the run directory.
        file: String,
    },
    /// The training ended, and was tested.
    Finished {
        /// Why.
        reason: ExitReason,
        /// The epoch of the last step.
        epoch: u32,
        /// The figures of the test.
        figures: Vec<Figure>,
    },
}

/// A named figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// Its name.
    pub name: String,
    /// Its value.
    #[serde(with = "written")]
    #[schemars(with = "written::Value")]
    pub value: f64,
}

/// A float as JSON can write it: one that is not finite as the text `NaN`, `inf` or `-inf`.
mod written {
    use schemars::JsonSchema;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(untagged)]
    pub(super) enum Value {
        Finite(f64),
        Other(String),
    }

    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        let written = if value.is_finite() { Value::Finite(*value) } else { Value::Other(value.to_string()) };
        written.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Finite(value) => Ok(value),
            Value::Other(text) => match text.as_str() {
                "NaN" => Ok(f64::NAN),
                "inf" => Ok(f64::INFINITY),
                "-inf" => Ok(f64::NEG_INFINITY),
                _ => Err(D::Error::custom(format!("expected a number, NaN, inf or -inf, got {text:?}"))),
            },
        }
    }
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ExitReason {
    /// It did all the steps that the config asked for; a command exited with 0.
    Completed,
    /// The monitored metric no longer improved.
    EarlyStopped,
    /// The time the config allowed was over.
    MaxTime,
    /// It ended early so that all of it, the signature too, kept the wall time of its limits.
    WallLimit,
    /// Somebody stopped it; it can be resumed.
    Interrupted,
    /// A value was no longer finite.
    Diverged,
}

impl RunEvent {
    /// The epoch and the figures, of an event that has some.
    pub fn figures(&self) -> Option<(u32, &[Figure])> {
        match self {
            Self::Trained { epoch, figures }
            | Self::Validated { epoch, figures }
            | Self::Finished { epoch, figures, .. } => Some((*epoch, figures)),
            Self::Begun { .. } | Self::Resumed | Self::Checkpoint { .. } | Self::AuditPoint { .. } => None,
        }
    }

    fn figures_mut(&mut self) -> Option<&mut Vec<Figure>> {
        match self {
            Self::Trained { figures, .. } | Self::Validated { figures, .. } | Self::Finished { figures, .. } => {
                Some(figures)
            }
            Self::Begun { .. } | Self::Resumed | Self::Checkpoint { .. } | Self::AuditPoint { .. } => None,
        }
    }
}

fn digest(bytes: &[u8]) -> Blake3Digest {
    blake3::hash(bytes).into()
}

/// Where a log ends: what the next line follows, and what is signed of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// How many lines there are.
    pub count: u64,
    /// BLAKE3 of the last one; of an empty log, of nothing.
    pub digest: Blake3Digest,
}

impl Head {
    /// Of a log without lines.
    pub fn of_nothing() -> Self {
        Self { count: 0, digest: digest(b"") }
    }

    /// Of lines, in their order.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        lines.into_iter().fold(Self::of_nothing(), Self::after)
    }

    fn after(self, line: &str) -> Self {
        Self { count: self.count + 1, digest: digest(line.as_bytes()) }
    }

    /// The line that says this next, without its line end.
    pub fn append(&mut self, elapsed_seconds: f64, step: u64, event: RunEvent) -> (EventLine, String) {
        let line = EventLine { previous: self.digest, elapsed_seconds, step, event };
        let text = serde_json::to_string(&line).expect("an event is plain data");
        *self = self.after(&text);
        (line, text)
    }
}

/// A log whose lines are events, each after the one before it.
#[derive(Debug, Clone)]
pub struct EventLog {
    /// The lines.
    pub lines: Vec<EventLine>,
    /// Where it ends.
    pub head: Head,
}

/// A text that is no log of events.
#[derive(Debug, thiserror::Error)]
pub enum EventLogError {
    /// A line that is no event.
    #[error("line {line}: expected an event, got something else ({source})")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// Why not.
        source: serde_json::Error,
    },
    /// A line after another one than that before it.
    #[error("line {line}: expected to follow the line before it, whose BLAKE3 is {expected}, got {got}")]
    Chain {
        /// Its number, from 1.
        line: u64,
        /// The digest of the line before it.
        expected: Blake3Digest,
        /// What it says.
        got: Blake3Digest,
    },
    /// A line earlier than the one before it.
    #[error("line {line}: expected a time of at least {expected} s, as the line before it has, got {got} s")]
    Time {
        /// Its number, from 1.
        line: u64,
        /// The time of the line before it.
        expected: f64,
        /// Its own.
        got: f64,
    },
    /// The last line is cut.
    #[error("line {line}: expected a line end, got the end of the file")]
    Cut {
        /// Its number, from 1.
        line: u64,
    },
}

impl Advice for EventLogError {}

impl EventLog {
    /// Reads a log: every line an event that follows the one before it, in the chain and in time.
    ///
    /// # Errors
    /// [`EventLogError`], of the first line that is not so.
    pub fn read(text: &str) -> Result<Self, EventLogError> {
        let (mut lines, mut head, mut elapsed) = (Vec::new(), Head::of_nothing(), 0.0);
        for text in text.split_inclusive('\n') {
            let number = head.count + 1;
            let Some(text) = text.strip_suffix('\n') else { return Err(EventLogError::Cut { line: number }) };
            let line: EventLine =
                serde_json::from_str(text).map_err(|source| EventLogError::Line { line: number, source })?;
            if line.previous != head.digest {
                return Err(EventLogError::Chain { line: number, expected: head.digest, got: line.previous });
            }
            if line.elapsed_seconds.is_nan() || line.elapsed_seconds < elapsed {
                return Err(EventLogError::Time { line: number, expected: elapsed, got: line.elapsed_seconds });
            }
            elapsed = line.elapsed_seconds;
            head = head.after(text);
            lines.push(line);
        }
        Ok(Self { lines, head })
    }

    /// The log for a person that says the same.
    pub fn for_people(&self) -> String {
        self.lines.iter().map(EventLine::for_people).collect()
    }

    /// The table of the figures that [stand](standing).
    pub fn metrics(&self) -> String {
        let rows: String = standing(&self.lines).iter().map(EventLine::metrics).collect();
        format!("{METRICS_HEADER}{rows}")
    }
}

impl EventLine {
    /// The rows of the table of figures, with their ends.
    pub fn metrics(&self) -> String {
        let Some((epoch, figures)) = self.event.figures() else { return String::new() };
        figures.iter().map(|Figure { name, value }| format!("{},{epoch},{name},{value}\n", self.step)).collect()
    }

    /// The lines of the log for a person, with their ends.
    pub fn for_people(&self) -> String {
        let step = self.step;
        let mut text = match &self.event {
            RunEvent::Begun { run, config } => format!("# Run {run}\n\nconfig {config}"),
            RunEvent::Resumed => format!("- resumed at step {step}"),
            RunEvent::Trained { epoch, .. } | RunEvent::Validated { epoch, .. } => {
                format!("- step {step}, epoch {epoch}:")
            }
            RunEvent::Finished { reason, epoch, .. } => format!("- step {step}, epoch {epoch}: {}:", reason.words()),
            RunEvent::Checkpoint { file } | RunEvent::AuditPoint { file } => format!("- step {step}: wrote {file}"),
        };
        for (index, Figure { name, value }) in self.event.figures().into_iter().flat_map(|(_, all)| all).enumerate() {
            let _ = write!(text, "{} {name} = {value:.6}", if index == 0 { "" } else { "," });
        }
        text + "\n"
    }
}

impl ExitReason {
    /// For a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::EarlyStopped => "stopped early",
            Self::MaxTime => "stopped at trainer.max_time",
            Self::WallLimit => "stopped in time for envelope.wall_seconds",
            Self::Interrupted => "interrupted",
            Self::Diverged => "diverged",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Vec<Figure> {
        [("train/loss", 0.1), ("train/worst", f64::NEG_INFINITY)]
            .map(|(name, value)| Figure { name: name.into(), value })
            .into()
    }

    fn log() -> String {
        let mut head = Head::of_nothing();
        let events = [
            (0.0, 0, RunEvent::Begun { run: "x".into(), config: digest(b"config") }),
            (0.5, 2, RunEvent::Trained { epoch: 1, figures: figures() }),
            (0.5, 2, RunEvent::Checkpoint { file: "checkpoints/a".into() }),
            (1.0, 3, RunEvent::Finished { reason: ExitReason::MaxTime, epoch: 1, figures: figures() }),
        ];
        events.into_iter().map(|(time, step, event)| head.append(time, step, event).1 + "\n").collect()
    }

    #[test]
    fn a_log_reads_back_with_its_head() {
        let text = log();
        let read = EventLog::read(&text).expect("a log");
        assert_eq!((read.head, read.lines.len()), (Head::of(text.lines()), 4));
        assert_eq!(read.head.digest, digest(text.lines().last().expect("a line").as_bytes()));
        assert_eq!(read.lines[1].event, RunEvent::Trained { epoch: 1, figures: figures() });
        let figures = "0.1\n2,1,train/worst,-inf\n";
        assert_eq!(
            read.metrics(),
            format!("step,epoch,metric,value\n2,1,train/loss,{figures}3,1,train/loss,{}", figures.replace("2,", "3,"))
        );
        assert_eq!(read.lines[0].previous, digest(b""));
        assert_eq!(
            read.for_people(),
            format!(
                "# Run x\n\nconfig {}\n- step 2, epoch 1: train/loss = 0.100000, train/worst = -inf\n\
                 - step 2: wrote checkpoints/a\n\
                 - step 3, epoch 1: stopped at trainer.max_time: train/loss = 0.100000, train/worst = -inf\n",
                digest(b"config")
            )
        );
    }

    fn refused(text: &str) -> String {
        EventLog::read(text).expect_err("no log").to_string()
    }

    #[test]
    fn a_line_that_was_changed_left_out_moved_or_cut_is_named() {
        let text = log();
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        let changed = text.replacen("\"epoch\":1", "\"epoch\":2", 1);
        assert!(
            refused(&changed).starts_with("line 3: expected to follow the line before it"),
            "{}",
            refused(&changed)
        );
        let without = [lines[0], lines[2], lines[3]].concat();
        assert!(refused(&without).starts_with("line 2: expected to follow"), "{}", refused(&without));
        let moved = [lines[0], lines[2], lines[1], lines[3]].concat();
        assert!(refused(&moved).starts_with("line 2: expected to follow"), "{}", refused(&moved));
        assert_eq!(refused(&text[..text.len() - 1]), "line 4: expected a line end, got the end of the file");
        let more = text.replacen("\"step\":0", "\"step\":0,\"more\":1", 1);
        assert!(refused(&more).contains("unknown field `more`"), "{}", refused(&more));
        let more = text.replacen("\"kind\":\"begun\"", "\"kind\":\"begun\",\"more\":1", 1);
        assert!(refused(&more).contains("unknown field `more`"), "{}", refused(&more));
    }

    #[test]
    fn what_is_made_again_stands_once() {
        let figure = |name: &str, value: f64| vec![Figure { name: name.into(), value }];
        let trained = |value| RunEvent::Trained { epoch: 1, figures: figure("train/loss", value) };
        let finished = RunEvent::Finished { reason: ExitReason::MaxTime, epoch: 1, figures: figure("test/score", 3.0) };
        let mut head = Head::of_nothing();
        let events = [
            (2, trained(0.2)),
            (4, trained(0.4)),
            (2, RunEvent::Resumed),
            (4, trained(0.5)),
            (4, finished),
            (4, RunEvent::Resumed),
            (6, trained(0.6)),
        ];
        let lines = events.map(|(step, event)| head.append(0.0, step, event).0);
        let all = standing(&lines);
        let values: Vec<_> =
            all.iter().flat_map(|line| line.event.figures().expect("figures").1).map(|f| f.value).collect();
        assert_eq!(values, [0.2, 0.5, 0.6]);
    }

    #[test]
    fn a_line_from_before_the_one_before_it_is_refused() {
        let mut head = Head::of_nothing();
        let lines = [2.0, 1.0].map(|time| head.append(time, 0, RunEvent::Resumed).1 + "\n").concat();
        assert_eq!(refused(&lines), "line 2: expected a time of at least 2 s, as the line before it has, got 1 s");
    }
}
