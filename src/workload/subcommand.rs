//! What a workload does beside training: `predict`, `evaluate`, and what is its own.

use serde_json::Value as Json;

use super::Progress;
use crate::config::Config;
use crate::failure::Failure;

/// What a command does with a config, telling how far it is.
pub type Work = fn(&Config, &mut dyn FnMut(Progress<'_>)) -> Result<Answer, Failure>;

/// A command of a workload's own. It composes the primary config of its name, takes overrides and Hydra's flags, and can be
/// run as a multirun, as every command here.
#[derive(Debug, Clone)]
pub struct Subcommand {
    /// Its name, and that of its primary config.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// The JSON Schema of its primary config.
    pub schema: fn() -> Json,
    /// Refuses a config before any work: so that no job of a multirun begins where another cannot.
    pub check: fn(&Config) -> Result<(), Failure>,
    /// Does it.
    pub run: Work,
}

/// What a command answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// For people, and for other programs that want lines: without a line end at the end.
    pub text: String,
    /// The same for `--json`.
    pub json: Json,
}
