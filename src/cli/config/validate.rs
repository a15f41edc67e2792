//! `spectramind config validate`

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::config::{Composer, Config, ConfigError, Resolved, to_json};
use crate::failure::{Context, Failure, Result};
use crate::run::Workloads;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value as Json;

use crate::cli::compose::{Selection, warnings};
use crate::cli::failure::Told;
use crate::cli::output::outln;
use crate::cli::typed::is_hydra;

/// Compose every option of every config group once and check the configs against their JSON Schemas
///
/// A tree of another program's has no schema unless one is given: it is composed and resolved, and that is said.
///
/// Exit codes: 0 all are valid; 1 some are not, and all errors are listed; 2 there are no configs.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// The JSON Schema of the resolved primary config, for a tree of any program's
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
}

/// Validates the tree; [`Told::No`] when something is not valid.
///
/// # Errors
/// When there is nothing to validate.
pub fn run(arguments: &Arguments, workloads: &Workloads) -> Result<Told> {
    let selection = &arguments.selection;
    let composer = selection.composer(super::PRIMARY)?;
    let primaries = primaries(arguments, &composer, workloads)?;
    let mut tree = Tree {
        composer,
        overrides: &selection.overrides,
        left: BTreeSet::new(),
        compositions: 0,
        told: BTreeSet::new(),
        warned: BTreeSet::new(),
    };
    let groups = tree.composer.groups().into_iter().filter(|group| !is_hydra(group));
    tree.left = groups.collect();
    for (name, _) in primaries.iter().filter(|(_, schema)| schema.is_none()) {
        eprintln!(
            "{name}: composed and resolved only: it is no config of a command here; --schema FILE checks it against one"
        );
    }
    let mut all_compose = true;
    for (command, validator) in &primaries {
        all_compose &= tree.check_primary(command, validator.as_ref())?;
    }
    // The groups that no defaults list has are for the command line, such as `+experiment=…`.
    let (first, validator) = &primaries[0];
    // Which those are is not known where a primary config does not compose.
    let whole = selection.config_name.is_none() && all_compose;
    let left = if whole { std::mem::take(&mut tree.left) } else { BTreeSet::new() };
    for group in left {
        for option in tree.composer.options(&group) {
            tree.check(first, Some(&format!("+{group}={option}")), validator.as_ref())?;
        }
    }
    if !tree.told.is_empty() {
        outln!("{} errors in {} compositions", tree.told.len(), tree.compositions);
        return Ok(Told::No);
    }
    outln!("{} compositions are valid", tree.compositions);
    Ok(Told::Done)
}

/// The primary configs that are checked, and what by: the schema that was given, the command's own, or none.
///
/// # Errors
/// When there are none, or the schema is none.
fn primaries(
    arguments: &Arguments,
    composer: &Composer,
    workloads: &Workloads,
) -> Result<Vec<(String, Option<Validator>)>> {
    let selection = &arguments.selection;
    let (group, asked) = match selection.config_name.as_deref().map(|name| name.rsplit_once('/').unwrap_or(("", name)))
    {
        Some((group, name)) => (group, Some(name)),
        None => ("", None),
    };
    let mut names = composer.options(group);
    names.retain(|name| asked.is_none_or(|asked| asked == name));
    if let Some(name) = selection.config_name.as_ref().filter(|_| !names.is_empty()) {
        names = vec![name.clone()];
    }
    if names.is_empty() {
        let message = "expected primary configs (train.yaml, …) in the folder of configs, got none";
        return Err(Failure::usage(message, "name the folder with --config-path DIR, the config with --config-name"));
    }
    if let Some(path) = &arguments.schema {
        let [name] = names.as_slice() else {
            let message = format!("--schema: expected one primary config, got {}", names.join(", "));
            return Err(Failure::usage(message, "say which with --config-name NAME"));
        };
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let shape = |error: &dyn std::fmt::Display| {
            let message = format!("{}: expected a JSON Schema, got another text: {error}", path.display());
            Failure::usage(message, "give one of draft 2020-12 or older, as JSON")
        };
        let schema = serde_json::from_str(&text).map_err(|error| shape(&error))?;
        let validator = jsonschema::validator_for(&schema).map_err(|error| shape(&error))?;
        return Ok(vec![(name.clone(), Some(validator))]);
    }
    let mut primaries = Vec::new();
    for name in names {
        let config = composer.compose(name.as_str(), &selection.overrides).ok();
        let own = workloads.schema(&name, config.as_ref());
        let own = own.filter(|schema| !config.is_some_and(|config| is_foreign(&config, schema)));
        let validator = own.map(|schema| jsonschema::validator_for(&schema)).transpose();
        let validator = validator.map_err(|error| Failure::new(error.to_string()))?;
        primaries.push((name, validator));
    }
    // A tree of our own may have other files at its top, for its primary configs to include.
    if primaries.iter().any(|(_, validator)| validator.is_some()) {
        primaries.retain(|(_, validator)| validator.is_some());
    }
    // The command with the most groups first: an option is judged where it is used with the most others.
    primaries.sort_by_key(|(command, _)| *command != super::PRIMARY);
    Ok(primaries)
}

/// Whether a config that has a command's name is another program's: most of what the command needs is not there.
fn is_foreign(config: &Config, schema: &Json) -> bool {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let there = required.iter().filter(|key| config.value().get(key).is_some()).count();
    2 * there < required.len()
}

struct Tree<'a> {
    composer: Composer,
    overrides: &'a [String],
    /// The groups of which no option was composed yet.
    left: BTreeSet<String>,
    compositions: usize,
    /// The errors so far: one in a file that many configs share is told once.
    told: BTreeSet<String>,
    warned: BTreeSet<String>,
}

impl Tree<'_> {
    /// A primary config as it is, and with each option of the groups in its defaults list that no other had; says
    /// whether it composes.
    fn check_primary(&mut self, command: &str, validator: Option<&Validator>) -> Result<bool> {
        let Some(config) = self.check(command, None, validator)? else { return Ok(false) };
        let groups: Vec<(String, String)> = config
            .choices()
            .iter()
            .map(|(key, _)| (key.split('@').next().unwrap_or(key).to_owned(), key.clone()))
            .filter(|(group, _)| self.left.contains(group))
            .collect();
        for (group, key) in groups {
            self.left.remove(&group);
            for option in self.composer.options(&group) {
                self.check(command, Some(&format!("{key}={option}")), validator)?;
            }
        }
        Ok(true)
    }

    /// Composes and reports everything that is wrong.
    fn check(&mut self, command: &str, choice: Option<&str>, validator: Option<&Validator>) -> Result<Option<Config>> {
        self.compositions += 1;
        let subject = choice.map_or(command.to_owned(), |choice| format!("{command} {choice}"));
        let overrides: Vec<&str> = choice.into_iter().chain(self.overrides.iter().map(String::as_str)).collect();
        let composed = self.composer.compose(command, &overrides);
        let (config, resolved, errors) = match composed.and_then(|config| {
            let (resolved, errors) = config.resolve_each()?;
            Ok((config, resolved, errors))
        }) {
            Ok(composed) => composed,
            Err(error) => {
                self.tell_error(&subject, &error)?;
                return Ok(None);
            }
        };
        for error in &errors {
            self.tell_error(&subject, error)?;
        }
        for warning in warnings(&config) {
            if self.warned.insert(warning.clone()) {
                outln!("{subject}: warning: {warning}");
            }
        }
        for problem in validator.into_iter().flat_map(|validator| problems(&config, &resolved, validator)) {
            self.tell(&subject, &problem)?;
        }
        Ok(Some(config))
    }

    fn tell_error(&mut self, subject: &str, error: &ConfigError) -> Result<()> {
        let hint = error.hint().map(|hint| format!("\n  Hint: {hint}")).unwrap_or_default();
        self.tell(subject, &format!("{error}{hint}"))
    }

    fn tell(&mut self, subject: &str, problem: &str) -> Result<()> {
        if self.told.insert(problem.to_owned()) {
            outln!("{subject}: {problem}");
        }
        Ok(())
    }
}

/// What the schema finds wrong; what a person has to set is not wrong where a config asks for it with `???`.
fn problems(config: &Config, resolved: &Resolved, validator: &Validator) -> Vec<String> {
    let document = to_json(resolved.value());
    let missing = resolved.missing_keys();
    let mut found = Vec::new();
    for error in validator.iter_errors(&document) {
        let path = dotted(&error);
        if !missing.contains(&path) {
            explain(config, &path, &error, &mut found);
        }
    }
    found
}

/// What was expected, got, and where it was set.
fn explain(config: &Config, path: &str, error: &ValidationError<'_>, found: &mut Vec<String>) {
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            for key in unexpected {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                found.push(format!("{}: unknown key", placed(config, &path)));
            }
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            let is_of_other_type = |error: &ValidationError<'_>| dotted(error) == path && is_mismatch(error);
            match context.iter().find(|branch| !branch.iter().any(is_of_other_type)) {
                // The value is of this branch's type: what is wrong with it lies inside.
                Some(branch) => branch.iter().for_each(|error| explain(config, &dotted(error), error, found)),
                None => {
                    let (place, got) = (placed(config, path), error.instance());
                    found.push(format!("{place}: expected {}, got {got}", expectation(error)));
                }
            }
        }
        ValidationErrorKind::Required { property } => {
            found.push(format!("{}: expected the key {property}, got none", placed(config, path)));
        }
        _ => found.push(format!("{}: expected {}, got {}", placed(config, path), expectation(error), error.instance())),
    }
}

/// Whether a value is of another type than a schema describes.
fn is_mismatch(error: &ValidationError<'_>) -> bool {
    use ValidationErrorKind::{AnyOf, Constant, Enum, OneOfNotValid, Type};
    match error.kind() {
        Type { .. } | Enum { .. } | Constant { .. } => true,
        AnyOf { context } | OneOfNotValid { context } => context.iter().all(|branch| branch.iter().any(is_mismatch)),
        _ => false,
    }
}

/// What would have been right, in words.
fn expectation(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            // Of a branch's errors the last says most: the constant after its type.
            context.iter().filter_map(|branch| branch.last()).map(expectation).collect::<Vec<_>>().join(" or ")
        }
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => kind.to_string(),
        ValidationErrorKind::Type { kind: TypeKind::Multiple(kinds) } => {
            kinds.iter().map(|kind| kind.to_string()).collect::<Vec<_>>().join(" or ")
        }
        ValidationErrorKind::Enum { options } => match options.as_array() {
            Some(options) => options.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            None => options.to_string(),
        },
        ValidationErrorKind::Constant { expected_value } => expected_value.to_string(),
        ValidationErrorKind::Minimum { limit } => format!("at least {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("at most {limit}"),
        ValidationErrorKind::Pattern { pattern } => format!("a text like {pattern}"),
        _ => format!("something else ({error})"),
    }
}

/// A key and where it was set.
fn placed(config: &Config, path: &str) -> String {
    match config.origin(path) {
        Some(origin) => format!("{path} ({})", origin.origin),
        None => path.to_owned(),
    }
}

/// The place of an error as a config names it, `data.files[0]`.
fn dotted(error: &ValidationError<'_>) -> String {
    use jsonschema::paths::LocationSegment;
    let mut path = String::new();
    for segment in error.instance_path() {
        match segment {
            LocationSegment::Property(key) if path.is_empty() => path.push_str(&key),
            LocationSegment::Property(key) => {
                path.push('.');
                path.push_str(&key);
            }
            LocationSegment::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}
