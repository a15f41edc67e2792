//! `spectramind evaluate`

use anyhow::Result;
use spectramind::ariel::config::EvaluateConfig;
use spectramind::ariel::training;

use crate::compose;

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
    let Some(config) = arguments.compose.compose("evaluate")? else { return Ok(()) };
    let config: EvaluateConfig = config.extract()?;
    let score = training::evaluate(&config)?;
    if arguments.json {
        let figures = serde_json::json!({
            "score": score.official, "unclipped": score.unclipped, "fgs1": score.fgs1, "airs": score.airs,
        });
        println!("{figures}");
    } else {
        println!(
            "score {:.6}  (FGS1 {:.6}, AIRS {:.6}, before clipping {:.6})",
            score.official, score.fgs1, score.airs, score.unclipped
        );
    }
    Ok(())
}
