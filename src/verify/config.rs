//! The config: composed again from its sources, and compared with what was signed.

use std::path::Path;

use serde::Deserialize;

use super::coverage::{COMMAND_CONFIG_JSON, COMMAND_CONFIG_YAML};
use super::envelope::Envelope;
use super::{Check, VerifiedRun, chain};
use crate::config::{Composer, Config, ConfigError, SourceFile, Value, to_json, to_yaml};
use crate::digest::FileDigest;
use crate::envelope::{Bounds, Enforcement, NetworkMode, NetworkRule};
use crate::failure::Failure;
use crate::foreign;
use crate::manifest::predicate::{COMMAND_WORKLOAD, ConfigSource, DataSet, TrainingRun};

/// What the workloads that a checker knows say about a config: the data sets that it names, in order. None of a workload
/// that the checker does not know.
pub type KnownWorkloads<'a> = &'a dyn Fn(&str, &Config) -> Option<Result<Vec<DataSet>, Failure>>;

/// Whether the configs have to lie in the repository of the sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigsPlace {
    /// They have to: the commit then says what they are.
    InRepository,
    /// They may lie anywhere: the checker said so.
    Elsewhere,
}

impl VerifiedRun {
    /// Composes the config again from `configs` with the recorded overrides, and compares the files that took part, the
    /// digest, the choices, what the record repeats from the config, and Hydra's own record of it.
    ///
    /// Returns the config that was composed, if it is the signed one.
    pub fn check_config(
        &self,
        composer: &Composer,
        configs: &Path,
        workloads: KnownWorkloads<'_>,
    ) -> (Check, Option<Config>) {
        let mut check = Check::new("config");
        let claim = &self.claim().config;
        if !configs.is_dir() {
            check.not_checked_at(
                configs,
                format!(
                    "{}: expected the folder of the configs, got none there: say where the work tree is with --repository \
                     DIR, or the configs with --configs DIR",
                    configs.display()
                ),
            );
            return (check, None);
        }
        let withheld = withheld(self);
        let composed = match self.recompose(composer) {
            // A variable that is not given may have a default in the config: nothing was lied about then.
            Ok(config)
                if self.may_depend(&config, &withheld)
                    && config.digest().is_ok_and(|digest| digest != claim.digest) =>
            {
                self.hash_sources(configs, &mut check);
                check.not_checked("the composed config is not the signed one".into());
                check.note(ask_for(&withheld));
                None
            }
            Ok(config) => {
                let sources: Result<Vec<_>, _> = config.sources().iter().map(source).collect();
                match sources {
                    Ok(sources) => compare_sources(&claim.sources, &sources, configs, &mut check),
                    Err(error) => check.fail(format!("composed config: {error}")),
                }
                self.compare_config(&config, workloads, &mut check);
                Some(config)
            }
            Err(error) => {
                // Which of the recorded files are not what they were says more than why nothing can be composed.
                self.hash_sources(configs, &mut check);
                check.not_checked(format!("cannot compose {}: {error}", claim.name));
                if !withheld.is_empty() {
                    check.note(ask_for(&withheld));
                }
                None
            }
        };
        check.note(format!(
            "{} files, {} overrides, digest {}",
            claim.sources.len(),
            claim.overrides.len(),
            claim.digest
        ));
        let config = composed.filter(|config| config.digest().is_ok_and(|digest| digest == claim.digest));
        (check, config)
    }

    /// Whether a config may be another one for want of variables that the record withholds. Of a command they are told whether
    /// its config reads them or not.
    fn may_depend(&self, config: &Config, withheld: &[&str]) -> bool {
        let read = || config.environment_names().unwrap_or_default();
        match self.claim().command() {
            None => !withheld.is_empty(),
            Some(_) => withheld.iter().any(|name| read().contains(*name)),
        }
    }

    /// Composes the recorded config again.
    ///
    /// # Errors
    /// What is wrong with it, as text.
    pub fn recompose(&self, composer: &Composer) -> Result<Config, String> {
        let shown = self.claim().environment.variables.iter();
        let values = shown.filter_map(|variable| Some((variable.name.clone(), variable.value.clone()?)));
        self.claim().config.compose(&composer.clone().add_env(values)).map_err(|error| chain(&error))
    }

    /// Hashes the recorded files below `configs`.
    fn hash_sources(&self, configs: &Path, check: &mut Check) {
        for source in &self.claim().config.sources {
            let path = configs.join(source.path.as_str());
            match foreign::open(configs, source.path.as_str()).and_then(|file| file.digest(source.size)) {
                Ok(found) if found.blake3 == source.blake3 => {}
                Ok(_) => {
                    check.fail_at(&path, format!("{}: expected BLAKE3 {}, got another", path.display(), source.blake3))
                }
                Err(error @ foreign::ForeignError::Io { .. }) => check.not_checked_at(&path, error.to_string()),
                Err(error) => check.fail_at(&path, error.to_string()),
            }
        }
    }

    fn compare_config(&self, config: &Config, workloads: KnownWorkloads<'_>, check: &mut Check) {
        let claim = self.claim();
        match config.digest() {
            Ok(digest) if digest == claim.config.digest => {}
            Ok(digest) => check.fail(format!("composed config: expected digest {}, got {digest}", claim.config.digest)),
            Err(error) => check.fail(format!("composed config: {}", chain(&error))),
        }
        let recorded = claim.config.choices.iter().map(|choice| (choice.group.as_str(), choice.option.as_str()));
        let own = config.choices().iter().filter(|(group, _)| !group.starts_with("hydra/"));
        if !recorded.eq(own.map(|(group, option)| (group.as_str(), option.as_deref().unwrap_or("null")))) {
            check.fail("choices: expected those of the composed config, got others".into());
        }
        match Repeated::of(claim, config) {
            Ok(repeated) => repeated.compare(self, check),
            Err(error) => check.fail(format!("composed config: {}", chain(&error))),
        }
        self.compare_data(config, workloads, check);
        self.compare_hydra(config, check);
        if claim.command().is_some() {
            self.compare_command_configs(config, check);
        }
    }

    /// Compares the data sets of the record with those that the config names; what a config says is the workload's to tell.
    fn compare_data(&self, config: &Config, workloads: KnownWorkloads<'_>, check: &mut Check) {
        let claim = self.claim();
        let declared = match workloads(&claim.workload, config) {
            Some(Ok(declared)) => declared,
            Some(Err(failure)) => return check.fail(format!("composed config: {failure}")),
            None => {
                return check.not_checked(format!(
                    "this verifier does not know the workload {:?}, so whether the data sets are those of the config is not \
                     known: use the verifier of that workload's program, or build this one with `--features replay`",
                    claim.workload
                ));
            }
        };
        let declared = declared.iter().map(|set| (set.name.as_str(), set.role, set.root.display().to_string()));
        if !claim.data.iter().map(|data| (data.name.as_str(), data.role, data.root.clone())).eq(declared) {
            check.fail("data sets: expected those of the composed config, by name, role and root, got others".into());
        }
    }

    /// Compares the config that the command was given with the composed one.
    fn compare_command_configs(&self, config: &Config, check: &mut Check) {
        let expected = match command_configs(config) {
            Ok(expected) => expected,
            Err(error) => return check.fail(format!("composed config: {}", chain(&error))),
        };
        for (name, expected) in expected {
            if let Some(got) = self.read_subject(name, check)
                && got != expected
            {
                let finding = format!("{name}: expected the composed config, resolved, got another text");
                check.fail_at(&self.root().join(name), finding);
            }
        }
    }

    /// Compares what Hydra writes about a run into its directory with what it would write of the composed config; but
    /// for its own node, which tells of the trainer's folders.
    fn compare_hydra(&self, config: &Config, check: &mut Check) {
        let folder = match config.hydra_value("output_subdir") {
            Ok(Value::Null) => return,
            Ok(folder) => folder.to_string(),
            Err(error) => return check.fail(format!("hydra.output_subdir: {}", chain(&error))),
        };
        let overrides = config.overrides().iter().map(|text| Value::from(text.as_str())).collect();
        for (name, expected) in
            [("config.yaml", config.to_yaml()), ("overrides.yaml", to_yaml(&Value::List(overrides)))]
        {
            let name = format!("{folder}/{name}");
            if let Some(got) = self.read_subject(&name, check)
                && got != expected.as_bytes()
            {
                check.fail_at(
                    &self.root().join(&name),
                    format!("{name}: expected what the composed config gives, got another text"),
                );
            }
        }
    }
}

/// The config that a command is given, resolved: the files in its run directory, by name.
///
/// # Errors
/// When it cannot be resolved.
pub fn command_configs(config: &Config) -> Result<[(&'static str, Vec<u8>); 2], ConfigError> {
    let resolved = config.resolve()?;
    let mut json = serde_json::to_vec_pretty(&to_json(resolved.value())).expect("JSON always serializes");
    json.push(b'\n');
    Ok([(COMMAND_CONFIG_YAML, resolved.to_yaml().into_bytes()), (COMMAND_CONFIG_JSON, json)])
}

/// Whether a file is the recorded one but for its line ends.
fn has_other_line_ends(path: &Path, recorded: &ConfigSource) -> bool {
    // Twice the size is more than line ends can add.
    let bytes = foreign::read_named(path, recorded.size.saturating_mul(2)).unwrap_or_default();
    let lines: Vec<_> =
        bytes.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
    FileDigest::blake3_of_bytes(&lines.join(&b'\n')) == recorded.blake3
}

/// How to give the values of variables that the record withholds.
fn ask_for(variables: &[&str]) -> String {
    format!(
        "environment variables that the config read and the record withholds: {}; to give one: --env NAME=VALUE",
        variables.join(", ")
    )
}

/// A file that was composed, as a record names it.
fn source(source: &SourceFile) -> Result<(ConfigSource, &SourceFile), String> {
    let path = crate::provenance::path::RelativePath::parse(&source.path).map_err(|error| error.to_string())?;
    Ok((ConfigSource { path, size: source.size, blake3: source.blake3.into() }, source))
}

/// Compares the files that the record names with those that were composed: all of them, in their order.
fn compare_sources(
    recorded: &[ConfigSource],
    composed: &[(ConfigSource, &SourceFile)],
    configs: &Path,
    check: &mut Check,
) {
    let shown = |source: &SourceFile| match &source.absolute {
        Some(path) => path.display().to_string(),
        None => configs.join(&source.path).display().to_string(),
    };
    for (index, (found, file)) in composed.iter().enumerate() {
        match recorded.get(index) {
            Some(source) if source == found => {}
            Some(source) if source.path == found.path => {
                let shown = shown(file);
                match has_other_line_ends(Path::new(&shown), source) {
                    true => check.not_checked_at(
                        Path::new(&shown),
                        format!("{shown}: the recorded file with CRLF line ends, as core.autocrlf=true writes them"),
                    ),
                    false => check.fail_at(
                        Path::new(&shown),
                        format!("{shown}: expected BLAKE3 {}, got {}", source.blake3, found.blake3),
                    ),
                }
            }
            Some(source) => {
                check.fail(format!(
                    "file {} that is composed: expected {}, got {}",
                    index + 1,
                    source.path,
                    shown(file)
                ));
            }
            None => check.fail(format!("{} is composed, and the record does not name it", shown(file))),
        }
    }
    for source in recorded.iter().skip(composed.len()) {
        check.fail(format!("the record names {}, which takes no part in the composed config", source.path));
    }
}

/// The names of the variables that were set when the run was made and whose values the record withholds, but for those
/// that lead to a key.
fn withheld(run: &VerifiedRun) -> Vec<&str> {
    let variables = run.claim().environment.variables.iter();
    let is_withheld = |name: &str| !name.starts_with("SPECTRAMIND_");
    variables.filter(|v| v.set && v.value.is_none() && is_withheld(&v.name)).map(|v| v.name.as_str()).collect()
}

/// What the record states beside the config and must agree with it: a trainer could sign other limits than were set.
struct Repeated {
    workload: String,
    /// None of a command.
    seed: Option<u64>,
    bounds: Bounds,
    experiment: String,
    challenge: Option<String>,
    nonce: Option<String>,
}

/// What every config of a training says.
#[derive(Deserialize)]
struct Training {
    workload: String,
    trainer: Trainer,
    envelope: Envelope,
    experiment: String,
    record: Record,
}

#[derive(Deserialize)]
struct Trainer {
    seed: u64,
}

#[derive(Deserialize)]
struct Record {
    challenge: Option<String>,
    nonce: Option<String>,
}

/// What the config of a command may say.
#[derive(Default, Deserialize)]
struct Exec {
    #[serde(default)]
    command: Command,
}

#[derive(Deserialize)]
#[serde(default)]
struct Command {
    experiment: String,
    challenge: Option<String>,
    nonce: Option<String>,
    wall_seconds: Option<u64>,
    network: NetworkRule,
}

impl Default for Command {
    fn default() -> Self {
        let (experiment, network) = (COMMAND_WORKLOAD.into(), NetworkRule::Unrestricted);
        Self { experiment, challenge: None, nonce: None, wall_seconds: None, network }
    }
}

impl Repeated {
    fn of(claim: &TrainingRun, config: &Config) -> Result<Self, ConfigError> {
        if claim.command().is_some() {
            let Exec { command: Command { experiment, challenge, nonce, wall_seconds, network } } = config.extract()?;
            let bounds = Bounds { wall_seconds, network: network.bound(), ..Bounds::NONE };
            let workload = COMMAND_WORKLOAD.to_owned();
            return Ok(Self { workload, seed: None, bounds, experiment, challenge, nonce });
        }
        let Training { workload, trainer, envelope, experiment, record } = config.extract()?;
        let Envelope { wall_seconds, device_memory_bytes, host_memory_bytes, network } = envelope;
        let bounds = Bounds { wall_seconds, device_memory_bytes, host_memory_bytes, network: network.bound() };
        let Record { challenge, nonce } = record;
        Ok(Self { workload, seed: Some(trainer.seed), bounds, experiment, challenge, nonce })
    }

    fn compare(self, run: &VerifiedRun, check: &mut Check) {
        let claim = run.claim();
        if Bounds::from(&claim.envelope.bounds) != self.bounds {
            check.fail("envelope bounds: expected those of the composed config, got others".into());
        }
        // Who denies nothing has nothing to deny it with; whether something did where it was asked for is the check `envelope`'s.
        let enforcement = claim.envelope.figures.network.enforcement;
        if self.bounds.network != NetworkMode::Denied && enforcement != Enforcement::SelfAsserted {
            check
                .fail(format!("network: expected self-asserted, as the config denies it to nobody, got {enforcement}"));
        }
        if let (Some(expected), Some(training)) = (self.seed, claim.training())
            && training.seed.0 != expected
        {
            check.fail(format!("seed: expected {expected}, got {}", training.seed.0));
        }
        for (what, expected, got) in [
            ("workload", Some(&self.workload), Some(&claim.workload)),
            ("experiment", Some(&self.experiment), Some(&claim.run.experiment)),
            ("challenge", self.challenge.as_ref(), claim.run.challenge.as_ref()),
            ("nonce", self.nonce.as_ref(), claim.run.nonce.as_ref()),
        ] {
            if expected != got {
                check.fail(format!("{what}: expected {expected:?}, as the config says, got {got:?}"));
            }
        }
    }
}
