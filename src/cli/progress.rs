//! What a person sees while they wait: a bar on a terminal, a line per stage elsewhere.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::workload::Progress;

/// The progress of one stage after another.
pub struct Stages {
    bar: Option<ProgressBar>,
    stage: String,
    is_terminal: bool,
}

impl Stages {
    /// No stage yet.
    pub fn new() -> Self {
        Self { bar: None, stage: String::new(), is_terminal: stderr().is_terminal() }
    }

    /// Shows how far something is.
    pub fn report(&mut self, Progress { stage, done, total, unit }: Progress<'_>) {
        self.show(stage, done, total, unit);
    }

    /// Reports that `done` of `total` of a stage are done; a new stage's name begins a new line.
    pub fn show(&mut self, stage: &str, done: u64, total: u64, detail: &str) {
        if self.stage != stage {
            self.finish();
            stage.clone_into(&mut self.stage);
            if !self.is_terminal {
                eprintln!("{stage}");
            }
        }
        if !self.is_terminal {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} {elapsed} {msg}")
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
