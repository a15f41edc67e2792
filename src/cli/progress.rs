//! What a person sees while they wait: a bar on a terminal, a line per stage and now and then elsewhere, nothing where they want it quiet.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::pace::Pace;
use crate::workload::Progress;

/// The progress of one stage after another.
pub struct Stages {
    bar: Option<ProgressBar>,
    stage: String,
    pace: Pace,
    manner: Manner,
}

/// How progress is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// On a terminal.
    Live,
    /// Elsewhere.
    Plain,
    /// Not at all.
    Quiet,
}

impl Stages {
    /// No stage yet.
    pub fn new(quiet: bool) -> Self {
        let manner = match (quiet, stderr().is_terminal()) {
            (true, _) => Manner::Quiet,
            (false, true) => Manner::Live,
            (false, false) => Manner::Plain,
        };
        Self { bar: None, stage: String::new(), pace: Pace::begin(0), manner }
    }

    /// Whether a bar is shown.
    pub fn is_live(&self) -> bool {
        self.manner == Manner::Live
    }

    /// Writes a line that stays.
    pub fn line(&self, text: &str) {
        match (self.manner, &self.bar) {
            (Manner::Quiet, _) => {}
            (_, Some(bar)) => bar.suspend(|| eprintln!("{text}")),
            (_, None) => eprintln!("{text}"),
        }
    }

    /// Writes a warning, also where it is to be quiet.
    pub fn warn(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("Warning: {text}")),
            None => eprintln!("Warning: {text}"),
        }
    }

    /// Shows how far something is, and how fast it goes on.
    pub fn report(&mut self, Progress { stage, done, total, unit }: Progress<'_>) {
        if self.stage != stage {
            self.pace = Pace::begin(done);
        }
        let pace = self.pace.words(done, total, unit).unwrap_or_else(|| unit.to_owned());
        self.show(stage, done, total, &pace);
        if self.manner == Manner::Plain && done < total && self.pace.is_due() {
            eprintln!("{stage}: {done} of {total}, {pace}");
        }
    }

    /// Reports that `done` of `total` of a stage are done; a new stage's name begins a new line.
    pub fn show(&mut self, stage: &str, done: u64, total: u64, detail: &str) {
        if self.stage != stage {
            self.finish();
            stage.clone_into(&mut self.stage);
            if self.manner == Manner::Plain {
                eprintln!("{stage}");
            }
        }
        if self.manner != Manner::Live {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} {elapsed}\n{wide_msg}")
                .expect("the template is a constant")
                .progress_chars("=> ");
            ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_style(style)
        });
        bar.set_prefix(stage.to_owned());
        bar.set_length(total);
        bar.set_message(detail.to_owned());
        bar.set_position(done);
    }

    /// Ends the current stage, its bar stays as it is.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.abandon();
        }
        self.stage.clear();
    }
}

impl Drop for Stages {
    fn drop(&mut self) {
        self.finish();
    }
}
