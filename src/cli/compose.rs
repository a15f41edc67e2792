//! Composing a primary config from the command line, with Hydra's flags.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::config::{Composer, Config, SearchPath, VersionBase};
use crate::failure::{Advice, Context, Failure, FailureKind, Result};
use crate::manifest::predicate::CLOCK_KEY;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::cli::job::{self, DirectoryKeys, Job};
use crate::cli::output::out;
use crate::cli::{info, program, ranks, sweep, world};

/// Folder of the primary configs, unless another is named.
pub const CONFIGS: &str = "configs";

/// Which configs are composed: the folders, the primary config, the overrides.
#[derive(clap::Args)]
#[group(skip)]
pub struct Selection {
    /// Folder of the primary configs (-cp) [default: configs]
    #[arg(long, value_name = "DIR", help_heading = "Hydra")]
    pub config_path: Option<PathBuf>,
    /// A further folder of configs, searched after the primary one (-cd); the only one where there is no folder configs/
    #[arg(long, value_name = "DIR", help_heading = "Hydra")]
    pub config_dir: Option<PathBuf>,
    /// Resolvers that an application registers in Python, as lambdas in a YAML file: `times: "lambda a, b: a * b"`
    #[arg(long, value_name = "FILE", help_heading = "Hydra")]
    pub resolvers: Option<PathBuf>,
    /// Hydra's compatibility level, as an application declares it: 1.1, 1.2 or 1.3
    #[arg(long, value_name = "VERSION", default_value_t, hide_default_value = true, help_heading = "Hydra")]
    pub version_base: VersionBase,
    /// Another primary config than the command's own (-cn)
    #[arg(
        long, value_name = "NAME", help_heading = "Hydra",
        add = clap_complete::ArgValueCompleter::new(crate::cli::completion::config_names)
    )]
    pub config_name: Option<String>,
    /// Overrides in Hydra's grammar: group=option, key=value, +new=value, ~key
    #[arg(value_name = "OVERRIDE", add = clap_complete::ArgValueCompleter::new(crate::cli::completion::overrides))]
    pub overrides: Vec<String>,
}

/// What every command that composes a config and works with it takes.
#[derive(clap::Args)]
// Commands flatten this into arguments of their own that have the same name.
#[group(skip)]
pub struct Arguments {
    #[command(flatten)]
    pub selection: Selection,
    /// Print the composed config and do nothing
    #[arg(long, short, value_name = "WHICH", help_heading = "Hydra", conflicts_with_all = ["info", "multirun"])]
    cfg: Option<Which>,
    /// With --cfg: resolve interpolations
    #[arg(long, requires = "cfg", help_heading = "Hydra")]
    resolve: bool,
    /// With --cfg: only this part
    #[arg(long, short, value_name = "KEY", requires = "cfg", help_heading = "Hydra")]
    package: Option<String>,
    /// Print how the config comes about and do nothing
    #[arg(
        long, short, value_name = "WHAT", help_heading = "Hydra",
        num_args = 0..=1, default_missing_value = "all", conflicts_with = "multirun"
    )]
    info: Option<info::Topic>,
    /// Run once for every combination of the values of overrides such as key=1,2 or key=range(1,5)
    #[arg(long, short, help_heading = "Hydra")]
    multirun: bool,
    /// With --multirun: vary these keys together, the first value of each, the second of each, and so on
    #[arg(long, value_name = "KEY,KEY", help_heading = "Hydra")]
    zip: Vec<String>,
    /// Go on with an unfinished run or multirun from where it stopped, with the configuration it began with
    #[arg(long, value_name = "DIR", conflicts_with_all = ["overrides", "config_name", "cfg", "info", "multirun", "zip"])]
    pub resume: Option<PathBuf>,
    /// Show no progress: only results, warnings and errors
    #[arg(long)]
    pub quiet: bool,
}

/// Which config `--cfg` prints.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// The task's config.
    Job,
    /// Hydra's own node.
    Hydra,
    /// Both.
    All,
}

/// Hydra's two-letter flags in their long form: clap knows no such thing.
pub fn long_flag(argument: OsString) -> OsString {
    let Some(text) = argument.to_str() else { return argument };
    for (short, long) in [("-cp", "--config-path"), ("-cd", "--config-dir"), ("-cn", "--config-name")] {
        match text.strip_prefix(short) {
            Some("") => return long.into(),
            Some(value) if value.starts_with('=') => return format!("{long}{value}").into(),
            _ => {}
        }
    }
    argument
}

impl Selection {
    /// Name of the primary config: the command's own, or the one asked for.
    pub fn primary<'a>(&'a self, own: &'a str) -> &'a str {
        self.config_name.as_deref().unwrap_or(own)
    }

    /// A composer for a command, with the environment and the clock of now.
    ///
    /// # Errors
    /// When there are no such folders.
    pub fn composer(&self, command: &str) -> Result<Composer> {
        composer(command, &self.sources())
    }

    /// What is composed from.
    pub fn sources(&self) -> Sources {
        Sources {
            config_path: self.config_path.clone(),
            config_dir: self.config_dir.clone(),
            resolvers: self.resolvers.clone(),
            version_base: self.version_base,
        }
    }

    /// Composes the config and says what is suspicious about it.
    ///
    /// # Errors
    /// Whatever is wrong with the config or the overrides.
    pub fn compose(&self, command: &str) -> Result<Config> {
        Ok(warned(self.composer(command)?.compose(self.primary(command), &self.overrides)?))
    }
}

/// What is composed from: a multirun that goes on needs it again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// The folder of the primary configs, where it is not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_path: Option<PathBuf>,
    /// A further folder of configs; it stands alone where the usual one is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_dir: Option<PathBuf>,
    /// The file of the user's own resolvers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolvers: Option<PathBuf>,
    /// Hydra's compatibility level.
    #[serde(default)]
    pub version_base: VersionBase,
}

impl Sources {
    /// The folders that are searched, in order, and what Hydra calls them.
    fn folders(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        let usual = || Some(PathBuf::from(CONFIGS)).filter(|usual| self.config_dir.is_none() || usual.is_dir());
        let main = self.config_path.clone().or_else(usual).map(|folder| ("main", folder));
        main.into_iter().chain(self.config_dir.clone().map(|folder| ("command-line", folder)))
    }
}

/// A composer over folders, with the environment and the clock of now.
///
/// # Errors
/// When a folder is not there, or the resolvers are none.
pub fn composer(command: &str, sources: &Sources) -> Result<Composer> {
    let mut search_path = SearchPath::new();
    for (provider, folder) in sources.folders() {
        if !folder.is_dir() {
            return Err(MissingConfigs { folder, command: command.to_owned() }.into());
        }
        search_path = search_path.directory(provider, folder);
    }
    let cwd = std::env::current_dir().context("the working directory cannot be read");
    let cwd = cwd.map_err(|failure| failure.with_hint("it was removed, or is closed to you: change to another"))?;
    // A variable that is not UTF-8 cannot stand in a config.
    let env = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    let composer = Composer::new(search_path)
        .env(env.collect())
        .cwd(cwd)
        .packages(python_path())
        .now(world::local_now())
        .utc_key(CLOCK_KEY)
        .version_base(sources.version_base)
        .job_name(command);
    Ok(match &sources.resolvers {
        Some(file) => composer.resolvers(file)?,
        None => composer,
    })
}

/// Where Python looks for packages beside the working directory: `PYTHONPATH`, and the active virtual environment.
fn python_path() -> Vec<PathBuf> {
    let listed = std::env::var_os("PYTHONPATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> =
        std::env::split_paths(&listed).filter(|path| !path.as_os_str().is_empty()).collect();
    let Some(environment) = std::env::var_os("VIRTUAL_ENV").map(PathBuf::from) else { return folders };
    let versions = std::fs::read_dir(environment.join("lib")).into_iter().flatten().flatten();
    let mut packages: Vec<PathBuf> = versions.map(|version| version.path().join("site-packages")).collect();
    packages.push(environment.join("Lib/site-packages"));
    packages.retain(|path| path.is_dir());
    packages.sort();
    folders.append(&mut packages);
    folders
}

/// What Hydra warns about, and the silent traps in the files.
pub fn warnings(config: &Config) -> impl Iterator<Item = String> {
    let lints = config.lints().iter().map(|lint| format!("{lint}\n  Hint: {}", lint.hint));
    config.warnings().iter().cloned().chain(lints)
}

/// The config, its warnings shown.
pub fn warned(config: Config) -> Config {
    for warning in warnings(&config).filter(|_| ranks::is_leader()) {
        eprintln!("Warning: {warning}");
    }
    config
}

impl Arguments {
    /// Whether it is a multirun, as far as the arguments tell: a new one, or one that goes on.
    pub fn is_multirun(&self) -> bool {
        self.multirun || self.resume.as_deref().is_some_and(sweep::is_sweep)
    }

    /// Does a command's work for the composed config, or for every job of a multirun, or prints what was asked for
    /// instead. `words` are what a command is given after `--`, which a multirun that goes on needs again. A multirun begins when `check` has nothing against any job's config.
    ///
    /// # Errors
    /// Whatever is wrong with the config or the overrides, and what the work fails with.
    pub fn run(
        &self,
        command: &str,
        words: &[String],
        check: impl Fn(&Config) -> Result<()>,
        mut work: impl FnMut(Job) -> Result<()>,
    ) -> Result<()> {
        let selection = &self.selection;
        if let Some(directory) = &self.resume {
            return sweep::resume(command, directory, work);
        }
        let composer = selection.composer(command)?;
        let (name, overrides) = (selection.primary(command), &selection.overrides);
        if let Some(topic) = self.info {
            out!("{}", info::about(&composer.compose(name, overrides)?, topic)?);
            return Ok(());
        }
        if let Some(which) = self.cfg {
            let config = warned(composer.compose(name, overrides)?);
            out!("{}", info::composed(&config, which, self.package.as_deref(), self.resolve)?);
            return Ok(());
        }
        match job::Mode::of(&composer, name, overrides, self.multirun)? {
            job::Mode::Run { .. } if !self.zip.is_empty() => {
                Err(Failure::usage("--zip: expected a multirun, got a single run", "add --multirun"))
            }
            job::Mode::Run { overrides } => {
                work(Job::single(warned(composer.compose(name, &overrides)?), DirectoryKeys::of(command))?)
            }
            job::Mode::Multirun { overrides } => {
                let zipped: Vec<Vec<String>> =
                    self.zip.iter().map(|keys| keys.split(',').map(str::to_owned).collect()).collect();
                let plan = sweep::Plan {
                    command: command.into(),
                    sources: selection.sources(),
                    config_name: name.into(),
                    overrides,
                    zip: zipped,
                    words: words.to_vec(),
                };
                sweep::begin(plan, check, work)
            }
        }
    }

    /// The folder of the primary configs, when it is not the usual one.
    pub fn config_path(&self) -> Option<&Path> {
        self.selection.config_path.as_deref()
    }
}

/// There is no folder of configs.
#[derive(Debug, thiserror::Error)]
#[error("expected a folder of configs at {}, got none", .folder.display())]
pub struct MissingConfigs {
    folder: PathBuf,
    command: String,
}

impl Advice for MissingConfigs {
    fn hint(&self) -> Option<String> {
        let hint = "run where the folder configs/ is, or say where with --config-path DIR";
        // The configs of a command of the user's own are the user's.
        if self.folder != Path::new(CONFIGS) || self.command == crate::command::PRIMARY {
            return Some(hint.into());
        }
        Some(format!("{hint}; the configs that come with this program are written here by: {} init", program::name()))
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Usage
    }
}
