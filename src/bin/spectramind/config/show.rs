//! `spectramind config show`

use anyhow::Result;
use serde_json::{Map, Value as Json, json};
use spectramind::config::{Composer, Config, ConfigError, to_json};

use super::PRIMARY;
use crate::compose::{self, Selection, warned};
use crate::failure::Told;
use crate::output::{out, outln};

/// Print a composed config, interpolations resolved
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// List the jobs of a multirun instead
    #[arg(long, short, help_heading = "Hydra")]
    multirun: bool,
    /// Print what Hydra's `compose` function gives as JSON: unresolved, resolved, as YAML, choices. With --config-dir
    /// and without --config-path DIR is the whole search path and no primary config is implied
    #[arg(long)]
    json: bool,
}

/// Shows a config.
///
/// # Errors
/// Whatever is wrong with the config.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Selection { config_path, config_dir, config_name, overrides } = &arguments.selection;
    let composer = match (config_path, config_dir) {
        (None, Some(whole)) if arguments.json => compose::composer(PRIMARY, std::slice::from_ref(whole))?,
        _ => arguments.selection.composer(PRIMARY)?,
    };
    if arguments.json {
        let name = config_name.as_deref().or((config_dir.is_none() || config_path.is_some()).then_some(PRIMARY));
        let answer =
            if arguments.multirun { jobs(&composer, name, overrides) } else { composed(&composer, name, overrides) };
        outln!("{}", answer.as_ref().unwrap_or_else(|refusal| refusal));
        return answer.map(drop).map_err(|_| Told.into());
    }
    let name = arguments.selection.primary(PRIMARY);
    if arguments.multirun {
        for job in composer.sweep(name, overrides)?.jobs() {
            outln!("{}", job.join(" "));
        }
    } else {
        out!("{}", warned(composer.compose(name, overrides)?).resolve()?.to_yaml());
    }
    Ok(())
}

fn composed(composer: &Composer, name: Option<&str>, overrides: &[String]) -> Result<Json, Json> {
    let config = composer.compose(name, overrides).map_err(refusal("compose"))?;
    let (resolved, error) = match config.resolve_outside_run() {
        Ok(resolved) => (Some(resolved), Json::Null),
        Err(error) => (None, json!({ "kind": error.kind().name() })),
    };
    Ok(json!({
        "ok": true,
        "unresolved": to_json(config.value()),
        "resolved": resolved.as_ref().map(|resolved| to_json(resolved.value())),
        "resolve_error": error,
        "yaml": config.to_yaml(),
        "yaml_resolved": resolved.as_ref().map(|resolved| resolved.to_yaml()),
        "choices": choices(&config),
        "overrideDirname": config.override_dirname(),
    }))
}

/// The task's own choices.
fn choices(config: &Config) -> Json {
    let own = config.choices().iter().filter(|(group, _)| !group.starts_with("hydra/"));
    let choices: Map<String, Json> = own.map(|(group, option)| (group.clone(), option.clone().into())).collect();
    choices.into()
}

/// The jobs, each of which composes.
fn jobs(composer: &Composer, name: Option<&str>, overrides: &[String]) -> Result<Json, Json> {
    let frame = composer.frame(name, overrides).map_err(refusal("compose"))?;
    let sweep = composer.expand(frame).map_err(refusal("sweep_parse"))?;
    for job in sweep.jobs() {
        composer.compose_job(&sweep, job).map_err(refusal("sweep_job"))?;
    }
    Ok(json!({ "ok": true, "jobs": sweep.jobs() }))
}

fn refusal(stage: &'static str) -> impl Fn(ConfigError) -> Json {
    move |error| json!({ "ok": false, "stage": stage, "kind": error.kind().name(), "message": error.to_string() })
}
