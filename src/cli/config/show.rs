//! `spectramind config show`

use crate::config::{Composer, Config, ConfigError, to_json, to_yaml};
use crate::failure::Result;
use serde_json::{Map, Value as Json, json};

use super::PRIMARY;
use crate::cli::compose::{self, Selection, Which, warned, warnings};
use crate::cli::failure::Told;
use crate::cli::info;
use crate::cli::output::{out, outln};

/// Print a composed config, interpolations resolved
///
/// What needs a resolver that an application registers in Python is printed as it is written, with a warning.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Print the config of each job of a multirun instead
    #[arg(long, short, help_heading = "Hydra")]
    multirun: bool,
    /// Print interpolations as they are written
    #[arg(long)]
    no_resolve: bool,
    /// Print Hydra's own node, too
    #[arg(long)]
    hydra: bool,
    /// Print what Hydra's `compose` function gives as JSON: unresolved, resolved, as YAML, choices. With --config-dir
    /// and without --config-path DIR is the whole search path and no primary config is implied
    #[arg(long)]
    json: bool,
}

/// Shows a config.
///
/// # Errors
/// Whatever is wrong with the config.
pub fn run(arguments: &Arguments) -> Result<Told> {
    let Selection { config_path, config_dir, config_name, overrides, .. } = &arguments.selection;
    let composer = match (config_path, config_dir) {
        (None, Some(whole)) if arguments.json => {
            let asked = arguments.selection.sources();
            let sources = compose::Sources { config_path: Some(whole.clone()), config_dir: None, ..asked };
            compose::composer(PRIMARY, &sources)?
        }
        _ => arguments.selection.composer(PRIMARY)?,
    };
    if arguments.json {
        let name = config_name.as_deref().or((config_dir.is_none() || config_path.is_some()).then_some(PRIMARY));
        let answer = match arguments.multirun {
            true => jobs(&composer, name, overrides),
            false => composed(&composer, name, overrides, arguments.hydra),
        };
        outln!("{}", answer.as_ref().unwrap_or_else(|refusal| refusal));
        return Ok(if answer.is_ok() { Told::Done } else { Told::Wrong });
    }
    let name = arguments.selection.primary(PRIMARY);
    if !arguments.multirun {
        arguments.print(&warned(composer.compose(name, overrides)?))?;
        return Ok(Told::Done);
    }
    let sweep = composer.sweep(name, overrides)?;
    let jobs = sweep.jobs().iter().map(|job| Ok((job, composer.compose_job(&sweep, job)?)));
    let jobs: Vec<_> = jobs.collect::<Result<_, ConfigError>>()?;
    for (number, (job, mut config)) in jobs.into_iter().enumerate() {
        config.enter_job(Some(number as u64))?;
        if number > 0 {
            outln!("---");
        }
        outln!("# {number}: {}", job.join(" "));
        arguments.print(&warned(config))?;
    }
    Ok(Told::Done)
}

impl Arguments {
    /// Prints a config as YAML.
    fn print(&self, config: &Config) -> Result<()> {
        let which = if self.hydra { Which::All } else { Which::Job };
        if self.no_resolve {
            out!("{}", info::composed(config, which, None, false)?);
            return Ok(());
        }
        let (resolved, unknown) = config.resolve_partly()?;
        for error in unknown {
            let hint = error.hint().map(|hint| format!("\n  Hint: {hint}")).unwrap_or_default();
            eprintln!("Warning: {error}: printed as it is written{hint}");
        }
        for warning in resolved.warnings() {
            eprintln!("Warning: {warning}");
        }
        if self.hydra {
            out!("{}", info::composed(config, Which::Hydra, None, false)?);
        }
        out!("{}", to_yaml(resolved.value()));
        Ok(())
    }
}

fn composed(composer: &Composer, name: Option<&str>, overrides: &[String], hydra: bool) -> Result<Json, Json> {
    let config = composer.compose(name, overrides).map_err(refusal("compose"))?;
    let (resolved, error) = match config.resolve_outside_run() {
        Ok(resolved) => (Some(resolved), Json::Null),
        Err(error) => (None, described(&error)),
    };
    let deprecated = resolved.iter().flat_map(|resolved| resolved.warnings().iter().cloned());
    let warnings: Vec<String> = warnings(&config).chain(deprecated).collect();
    let mut answer = json!({
        "ok": true,
        "unresolved": to_json(config.value()),
        "resolved": resolved.as_ref().map(|resolved| to_json(resolved.value())),
        "resolve_error": error,
        "yaml": config.to_yaml(),
        "yaml_resolved": resolved.as_ref().map(|resolved| resolved.to_yaml()),
        "choices": choices(&config),
        "overrideDirname": config.override_dirname(),
        "warnings": warnings,
    });
    if hydra {
        answer["hydra"] = to_json(&config.hydra());
        answer["hydra_yaml"] = config.hydra_to_yaml().into();
    }
    Ok(answer)
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
    let configs = sweep.jobs().iter().map(|job| {
        let config = composer.compose_job(&sweep, job).map_err(refusal("sweep_job"))?;
        Ok(to_json(config.value()))
    });
    let configs: Vec<Json> = configs.collect::<Result<_, Json>>()?;
    Ok(json!({ "ok": true, "jobs": sweep.jobs(), "job_configs": configs }))
}

fn refusal(stage: &'static str) -> impl Fn(ConfigError) -> Json {
    move |error| {
        let mut refusal = json!({ "ok": false, "stage": stage, "warnings": error.warnings() });
        if let (Json::Object(refusal), Json::Object(error)) = (&mut refusal, described(&error)) {
            refusal.extend(error);
        }
        refusal
    }
}

/// An error's kind, its key where an interpolation failed, its message and what to do about it.
fn described(error: &ConfigError) -> Json {
    json!({ "kind": error.kind().name(), "key": error.key(), "message": error.to_string(), "hint": error.hint() })
}
