//! One run of a command: its config, where its outputs go, and Hydra's record of it in `.hydra/`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::{Composer, Config, Origin, Value, to_yaml};
use crate::durable;
use crate::failure::{Advice, Context, Failure, Result};
use crate::run::Place;

/// Whether a command line runs once or once for every combination of values, and its overrides with that said.
pub enum Mode {
    /// Once.
    Run { overrides: Vec<String> },
    /// For every combination.
    Multirun { overrides: Vec<String> },
}

impl Mode {
    /// What the flag and `hydra.mode` of the configs ask for; the flag wins.
    ///
    /// # Errors
    /// Whatever is wrong with the config or the overrides.
    pub fn of(composer: &Composer, name: &str, overrides: &[String], multirun_flag: bool) -> Result<Self> {
        let with = |mode: &str| overrides.iter().cloned().chain([format!("hydra.mode={mode}")]).collect();
        // As a frame, because with hydra.mode=MULTIRUN sweeps are legal without the flag.
        let asked = match composer.frame(name, overrides) {
            Ok(frame) => frame.hydra_value("mode")?,
            // Composing again, in the right mode, says it better.
            Err(_) => Value::Null,
        };
        Ok(match (asked.to_string().as_str(), multirun_flag) {
            ("MULTIRUN", _) => Self::Multirun { overrides: overrides.to_vec() },
            ("RUN", true) => {
                eprintln!("Warning: running with --multirun, which overrides hydra.mode=RUN");
                Self::Multirun { overrides: with("MULTIRUN") }
            }
            (_, true) => Self::Multirun { overrides: with("MULTIRUN") },
            ("RUN", false) => Self::Run { overrides: overrides.to_vec() },
            (_, false) => Self::Run { overrides: with("RUN") },
        })
    }
}

/// Whose keys say where a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectoryKeys {
    /// `run.dir` of the task's config, where it has such a key, and Hydra's.
    TaskAndHydra,
    /// Hydra's alone, as the config is of the user's own making: `run.dir` may mean anything there.
    Hydra,
}

impl DirectoryKeys {
    /// Those of a command of this name.
    pub fn of(command: &str) -> Self {
        match command {
            crate::command::PRIMARY => Self::Hydra,
            _ => Self::TaskAndHydra,
        }
    }
}

/// One run of a command.
pub struct Job {
    config: Config,
    output: Output,
    keys: DirectoryKeys,
}

/// Another run has the directory.
#[derive(Debug, thiserror::Error)]
#[error("{}: expected a directory that no other run has, got one with {}", directory.display(), folder.display())]
pub struct Taken {
    directory: PathBuf,
    folder: PathBuf,
}

impl Advice for Taken {
    fn hint(&self) -> Option<String> {
        Some("choose another directory: hydra.run.dir=DIR, or a pattern with ${now:%f}, the microsecond".into())
    }
}

/// Makes the folder of Hydra's record, as the only one who does.
fn claim(folder: &Path, directory: &Path) -> Result<()> {
    let parent = durable::folder_of(folder);
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Taken { directory: directory.to_owned(), folder: folder.to_owned() }.into())
        }
        made => made.with_context(|| format!("cannot create {}", folder.display())),
    }
}

/// Where a run's outputs go.
enum Output {
    /// `hydra.run.dir`.
    Run,
    /// Where the run began before.
    Resumed(PathBuf),
    /// `hydra.sweep.dir`/`hydra.sweep.subdir`.
    Sweep { directory: PathBuf, begun_before: bool },
}

impl Job {
    /// The only run of a command line.
    ///
    /// # Errors
    /// When the config asks for what a run cannot do.
    pub fn single(mut config: Config, keys: DirectoryKeys) -> Result<Self> {
        config.enter_job(None)?;
        for plugin in config.plugins() {
            eprintln!("Warning: {plugin}: a Python plugin, not here: this run goes on without it");
        }
        Self { config, output: Output::Run, keys }.checked()
    }

    /// A run that goes on in its directory.
    pub fn resumed(config: Config, directory: &Path) -> Self {
        Self { config, output: Output::Resumed(directory.to_owned()), keys: DirectoryKeys::TaskAndHydra }
    }

    /// The run with a number in a multirun whose outputs go below `sweep`; it may have begun before and not ended.
    ///
    /// # Errors
    /// When the config asks for what a run cannot do, or `hydra.sweep.subdir` cannot be resolved.
    pub fn of_sweep(
        mut config: Config,
        number: usize,
        sweep: &Path,
        begun_before: bool,
        keys: DirectoryKeys,
    ) -> Result<Self> {
        config.enter_job(Some(number as u64))?;
        let directory = sweep.join(config.hydra_value("sweep.subdir")?.to_string());
        Self { config, output: Output::Sweep { directory, begun_before }, keys }.checked()
    }

    fn checked(self) -> Result<Self> {
        if self.config.hydra_value("job.chdir")? == Value::Bool(true) {
            let message =
                "hydra.job.chdir: expected false or null, got true: runs stay in the directory of the command";
            return Err(Failure::usage(message, "take hydra.job.chdir=true away"));
        }
        Ok(self)
    }

    /// Where a run with a directory of its own goes.
    ///
    /// # Errors
    /// When the directory that was chosen cannot be resolved.
    pub fn place(&self) -> Result<Place> {
        Ok(match self.directory()? {
            Some(directory) if self.begun_before() => Place::Begun(directory),
            Some(directory) => Place::New(directory),
            None => Place::Own,
        })
    }

    /// Whether an earlier process began this run and did not end it.
    fn begun_before(&self) -> bool {
        matches!(self.output, Output::Resumed(_) | Output::Sweep { begun_before: true, .. })
    }

    /// Whether the run is one of a multirun.
    pub fn is_of_sweep(&self) -> bool {
        matches!(self.output, Output::Sweep { .. })
    }

    /// What to do.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The directory that was chosen for the run: by `run.dir` of the task's config where it has such a key, or by
    /// Hydra's keys. None where both leave it open, which Hydra's default for `hydra.run.dir` does.
    ///
    /// # Errors
    /// When it cannot be resolved.
    pub fn directory(&self) -> Result<Option<PathBuf>> {
        let own = || -> Result<_> {
            Ok(match self.keys {
                DirectoryKeys::TaskAndHydra => self.config.select("run.dir")?.map(|own| PathBuf::from(own.to_string())),
                DirectoryKeys::Hydra => None,
            })
        };
        Ok(match &self.output {
            Output::Resumed(directory) => Some(directory.clone()),
            Output::Sweep { directory, .. } => Some(own()?.unwrap_or_else(|| directory.clone())),
            Output::Run => match self.config.hydra_origin("run.dir").map(|origin| origin.origin) {
                Some(Origin::File(_) | Origin::Override(_)) if own()?.is_none() => {
                    Some(self.config.hydra_value("run.dir")?.to_string().into())
                }
                _ => own()?,
            },
        })
    }

    /// Begins the run in Hydra's own output directory, for a command that has none of its own.
    ///
    /// # Errors
    /// When the directory or Hydra's record in it cannot be written.
    pub fn begin(&self) -> Result<()> {
        let directory = match &self.output {
            Output::Run => self.own_directory()?,
            Output::Resumed(directory) | Output::Sweep { directory, .. } => directory.clone(),
        };
        self.begin_in(&directory)
    }

    /// `hydra.run.dir`; where that is Hydra's own pattern, of seconds, and another run began in the same one, a directory
    /// beside it with a number.
    fn own_directory(&self) -> Result<PathBuf> {
        let directory = PathBuf::from(self.config.hydra_value("run.dir")?.to_string());
        let origin = self.config.hydra_origin("run.dir").map(|origin| origin.origin);
        if matches!(origin, Some(Origin::File(_) | Origin::Override(_))) {
            return Ok(directory);
        }
        let parent = durable::folder_of(&directory);
        fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let numbered = (2..).map(|number| directory.with_file_name(format!("{name}-{number}")));
        for candidate in std::iter::once(directory.clone()).chain(numbered) {
            match fs::create_dir(&candidate) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => {
                    made.with_context(|| format!("cannot create {}", candidate.display()))?;
                    return Ok(candidate);
                }
            }
        }
        unreachable!("numbers do not end")
    }

    /// Begins the run in a directory: writes `.hydra/` there, or what `hydra.output_subdir` names instead of it. No two
    /// runs have one: whoever makes that folder has the directory.
    ///
    /// # Errors
    /// [`Taken`] where another run has it, and when the directory or Hydra's record in it cannot be written.
    pub fn begin_in(&self, directory: &Path) -> Result<()> {
        let absolute = std::path::absolute(directory)?;
        let mut config = self.config.clone();
        config.set_hydra("runtime.output_dir", &Value::from(absolute.display().to_string().as_str()))?;
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
        let subdirectory = config.hydra_value("output_subdir")?;
        if subdirectory != Value::Null {
            let folder = directory.join(subdirectory.to_string());
            if self.begun_before() {
                fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
            } else {
                claim(&folder, directory)?;
            }
            let overrides = config.overrides().iter().map(|text| Value::from(text.as_str())).collect();
            for (name, text) in [
                ("config.yaml", config.to_yaml()),
                ("hydra.yaml", config.hydra_to_yaml()),
                ("overrides.yaml", to_yaml(&Value::List(overrides))),
            ] {
                let path = folder.join(name);
                durable::write_whole(&path, text.as_bytes())
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        Ok(())
    }
}
