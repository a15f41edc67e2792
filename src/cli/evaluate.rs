//! `spectramind evaluate`

use crate::ariel::config::EvaluateConfig;
use crate::ariel::training;
use crate::failure::Result;

use crate::cli::compose;
use crate::cli::job::Job;
use crate::cli::output::outln;

/// Give a submission the official score, with a split by instrument
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    compose: compose::Arguments,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// Scores a submission.
pub fn run(arguments: &Arguments) -> Result<()> {
    arguments.compose.run("evaluate", compose::reads::<EvaluateConfig>, |job| score(job, arguments.json))
}

fn score(job: Job, as_json: bool) -> Result<()> {
    let config: EvaluateConfig = job.config().extract()?;
    job.begin()?;
    let score = training::evaluate(&config)?;
    if as_json {
        let figures = serde_json::json!({
            "score": score.official, "unclipped": score.unclipped, "fgs1": score.fgs1, "airs": score.airs,
        });
        outln!("{figures}");
    } else {
        outln!(
            "score {:.6}  (FGS1 {:.6}, AIRS {:.6}, before clipping {:.6})",
            score.official,
            score.fgs1,
            score.airs,
            score.unclipped
        );
    }
    Ok(())
}
