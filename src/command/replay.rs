//! Running a command again, in a scratch folder, and comparing every output with what was signed.
//!
//! The command is the trainer's code, and runs with the rights of whoever replays: so they have to ask for it
//! ([`RunCommand::Yes`]). Its sources are the recorded commit, written out; its inputs are linked in from where the checker
//! has them, verified; its config, its words and what the record tells of its environment are the recorded ones. Where
//! things are on this machine ([`HERE`]) this machine says.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::config::CheckedCommand;
use super::environment::CommandEnvironment;
use super::metrics;
use super::outputs::FilesBefore;
use super::stage::{Stage, passed};
use crate::config::Config;
use crate::difference::first_difference;
use crate::envelope::NetworkRule;
use crate::failure::{Context, Failure};
use crate::manifest::predicate::{CommandRecord, ExitReason, SandboxRecord};
use crate::manifest::strict_json::DecimalU64;
use crate::manifest::verdict::{CommandReplay as CommandReplayRecord, ReplayRecord};
use crate::process::sandbox::Sandbox;
use crate::process::{End, Finished};
use crate::provenance::data::{Listed, ReadData, folder_of_set};
use crate::provenance::git;
use crate::provenance::md5::Md5Kinds;
use crate::provenance::path::RelativePath;
use crate::run::replay::stop::{Stop, conclude, failed, not_checked};
use crate::run::replay::time_taken;
use crate::verify::{COMMAND_STDERR, COMMAND_STDOUT, Check, SignedData, VerifiedRun, command_configs};

/// Whether the command of a run may be run again here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunCommand {
    /// The checker said so.
    Yes,
    /// Nobody said so.
    No,
}

/// Variables that say where things are on a machine: a replay has its own.
pub const HERE: [&str; 8] =
    ["CUDA_HOME", "HOME", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "PYTHONPATH", "USER", "VIRTUAL_ENV"];

/// Times the recorded limit that a replay may take: the machine may be a slower one.
const WALL_FACTOR: u64 = 10;

/// Most bytes at the end of its standard error that are told of a command that failed.
const TOLD_BYTES: usize = 600;

/// What a replay is made from: all of it verified.
pub struct CommandReplay<'a> {
    /// The run.
    pub run: &'a VerifiedRun,
    /// The signed config, composed again.
    pub config: &'a Config,
    /// The signed inputs.
    pub data: &'a SignedData,
    /// The checker's work tree: the recorded commit is written out of its repository.
    pub work_tree: &'a Path,
    /// A folder for what is made here, of this replay alone.
    pub scratch: &'a Path,
    /// The checker's environment.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// Whether the checker wants it run.
    pub run_command: RunCommand,
}

/// Runs the command of a verified run again and compares its outputs.
pub fn replay(replay: &CommandReplay<'_>) -> (Check, Option<ReplayRecord>) {
    let (mut check, mut record) = (Check::new("replay"), None);
    let mut notes = Vec::new();
    let outcome = replay.make(&mut notes, &mut record);
    notes.into_iter().for_each(|note| check.note(note));
    conclude(outcome, &mut check);
    (check, record)
}

impl CommandReplay<'_> {
    fn make(&self, notes: &mut Vec<String>, record: &mut Option<ReplayRecord>) -> Result<Vec<String>, Stop> {
        let claim = self.run.claim();
        let Some(claimed) = claim.command() else {
            return Err(Stop::Failed("expected the record of a command, got a training's".into()));
        };
        if self.run_command == RunCommand::No {
            return Err(Stop::NotChecked(format!(
                "the run is of a command, {}: that is the trainer's code, and would run here with your rights; --run-command \
                 runs it",
                claimed.words.join(" ")
            )));
        }
        if claim.exit.reason == ExitReason::Interrupted {
            return Err(Stop::NotChecked(
                "somebody stopped the command: it has no steps, so where it was then no run of it again can tell"
                    .into(),
            ));
        }
        let command = CheckedCommand::of(self.config).map_err(failed)?;
        if claim.outputs.is_empty() {
            return Err(Stop::NotChecked("the run declares no outputs: there is nothing to compare".into()));
        }
        let folder = self.write_sources()?;
        let words = self.words(claimed, &folder)?;
        self.place_inputs(&command, &folder)?;
        let (run, temporary) = (self.scratch.join("run"), self.scratch.join("tmp"));
        self.write_run(&run)?;
        std::fs::create_dir_all(&temporary).map_err(not_checked)?;
        self.make_writable(&command, &folder)?;

        let environment = self.environment(&command, &run, &temporary);
        let stage = Stage {
            words: &words,
            command: &command,
            folder: &folder,
            run: &run,
            temporary: &temporary,
            environment: &environment,
            wall: command.wall_seconds.map(|seconds| Duration::from_secs(seconds.saturating_mul(WALL_FACTOR))),
        };
        let confinement = stage.confinement().map_err(not_checked)?;
        notes.push(format!(
            "the command is the trainer's code, and ran here with your rights, {}; where the run was made: {} (self-asserted)",
            here(confinement.in_force()),
            there(&claimed.sandbox)
        ));
        if command.network == NetworkRule::Deny {
            notes.push("the network was denied to it here, too (system-call filter)".into());
        }
        notes.push(format!(
            "{} were this machine's, other variables as recorded; a difference may come from another version of what the command \
             uses",
            HERE.join(", ")
        ));
        let before = FilesBefore::of(&run).map_err(not_checked)?;
        let finished = stage.run(&confinement, &mut |_, _| {}, &|| None).map_err(not_checked)?;
        judge(&finished, &run)?;
        let made = before.outputs(&run, &[COMMAND_STDOUT, COMMAND_STDERR]).map_err(failed)?;
        let outputs: Vec<_> =
            made.into_iter().map(|made| made.path).filter(|path| command.outputs().matches(path.as_str())).collect();
        let equal = self.compare(&run, &outputs)?;
        *record = Some(ReplayRecord::Command(CommandReplayRecord { outputs: DecimalU64(equal) }));
        let mut findings = vec![format!("{equal} outputs are bit for bit the signed ones")];
        findings.push(self.compare_metrics(&command, &run, &outputs)?);
        findings.push(time_taken(claim, Duration::from_secs_f64(finished.wall_seconds)));
        findings.push("there is no step log: how the command came to its outputs is not in the record".into());
        Ok(findings)
    }

    /// Writes the recorded sources out; where the command runs in them.
    fn write_sources(&self) -> Result<PathBuf, Stop> {
        let Some(record) = &self.run.claim().git else {
            return Err(Stop::NotChecked(
                "the run was made outside a git repository: there are no sources to run the command from".into(),
            ));
        };
        let sources = self.scratch.join("sources");
        std::fs::create_dir_all(&sources).map_err(not_checked)?;
        let folder = git::export(self.work_tree, record, &sources).map_err(not_checked)?;
        // The recorded commit may not have it.
        std::fs::create_dir_all(&folder).map_err(not_checked)?;
        Ok(folder)
    }

    /// The recorded words. What they name of the trainer's work tree and the commit does not hold is not the commit's to
    /// run; but for the program itself, which may be a virtual environment's that the checker has in the same place.
    fn words(&self, claimed: &CommandRecord, folder: &Path) -> Result<Vec<String>, Stop> {
        let mut words = claimed.words.clone();
        let git = self.run.claim().git.as_ref();
        for (index, word) in words.iter_mut().enumerate() {
            let Some(path) = inside(Path::new(word.as_str())) else { continue };
            if folder.join(&path).exists() {
                continue;
            }
            let here = self.work_tree.join(&path);
            if index == 0 && word.contains('/') && here.is_file() {
                *word = std::path::absolute(here).map_err(not_checked)?.display().to_string();
                continue;
            }
            let ends_with = |recorded: &String| recorded == word || recorded.ends_with(&format!("/{word}"));
            if git.is_some_and(|git| git.read_untracked.iter().chain(&git.read_ignored).any(ends_with)) {
                return Err(Stop::NotChecked(format!(
                    "the command ran {word}, which the recorded commit does not hold"
                )));
            }
        }
        Ok(words)
    }

    /// Links the inputs in where the config says that they are.
    fn place_inputs(&self, command: &CheckedCommand, folder: &Path) -> Result<(), Stop> {
        for input in command.inputs() {
            let name = &input.name;
            let (Some(place), Some(list)) = (self.data.place(name), self.data.list(name)) else {
                return Err(Stop::NotChecked(format!(
                    "input {name}: it is not here, or its signed list is not in order"
                )));
            };
            let place = place.canonicalize().map_err(not_checked)?;
            // What is linked in is what was signed; who may have changed it since it was checked is not known.
            let found = ReadData::of_listed(&place, list, |_| Md5Kinds::NONE).map_err(not_checked)?;
            let Listed { found, other_size, added } = found;
            if !(list.compare(&found).is_empty() && other_size.is_empty() && added.is_empty()) {
                return Err(Stop::NotChecked(format!("input {name}: its files here are not those that were signed")));
            }
            if input.root.is_absolute() {
                if input.root.canonicalize().is_ok_and(|root| root == place) {
                    continue;
                }
                let root = input.root.display();
                return Err(Stop::NotChecked(format!(
                    "input {name}: the command reads it at {root}, and it is not there"
                )));
            }
            let Some(relative) = inside(&input.root) else {
                let root = input.root.display();
                return Err(Stop::NotChecked(format!(
                    "input {name}: the command reads it at {root}, which is outside of the folder that it ran in"
                )));
            };
            let file = folder_of_set(&place) != place;
            link_in(&place, folder, &relative).with_context(|| format!("input {name}")).map_err(not_checked)?;
            if file != folder.join(&relative).is_file() {
                return Err(Stop::NotChecked(format!("input {name}: it cannot be put where the command reads it")));
            }
        }
        Ok(())
    }

    /// Makes the run directory with what the command finds there.
    fn write_run(&self, run: &Path) -> Result<(), Stop> {
        std::fs::create_dir_all(run.join(".hydra")).map_err(not_checked)?;
        for (name, text) in command_configs(self.config).map_err(failed)? {
            std::fs::write(run.join(name), text).map_err(not_checked)?;
        }
        let signed = &self.run.manifest().statement().subject;
        for name in [".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml"] {
            if signed.iter().any(|subject| subject.name.as_str() == name)
                && let Some(text) = self.run.read_subject(name, &mut Check::new("replay"))
            {
                std::fs::write(run.join(name), text).map_err(not_checked)?;
            }
        }
        Ok(())
    }

    /// Makes the other folders that the config lets the command write to; a stranger's config says nothing about folders of
    /// the checker's.
    fn make_writable(&self, command: &CheckedCommand, folder: &Path) -> Result<(), Stop> {
        for path in &command.writes {
            if path.components().all(|part| part == Component::CurDir) {
                continue;
            }
            let Some(relative) = inside(path) else {
                let path = path.display();
                return Err(Stop::NotChecked(format!(
                    "the config lets the command write to {path}, outside of its folder"
                )));
            };
            let target = folder.join(&relative);
            if !target.symlink_metadata().is_ok_and(|found| found.is_file()) {
                make_way(folder, &relative).map_err(not_checked)?;
            }
        }
        Ok(())
    }

    fn environment(&self, command: &CheckedCommand, run: &Path, temporary: &Path) -> CommandEnvironment {
        let recorded = &self.run.claim().environment.variables;
        let variable = |name: &str| match recorded.iter().find(|variable| variable.name == name) {
            // Told, and not of a place; a value that is withheld is the checker's to have.
            Some(variable) if !HERE.contains(&name) && (!variable.set || variable.value.is_some()) => {
                variable.value.clone().map(OsString::from)
            }
            _ => (self.variable)(name),
        };
        let config = run.join(crate::verify::COMMAND_CONFIG_YAML);
        CommandEnvironment::new(&command.environment, passed(command, &variable), &config, run, temporary)
    }

    /// Compares the outputs with the signed ones; how many there are.
    fn compare(&self, again: &Path, outputs: &[RelativePath]) -> Result<u64, Stop> {
        let claimed = &self.run.claim().outputs;
        if let Some(missing) = claimed.iter().find(|path| !outputs.contains(path)) {
            return Err(Stop::Failed(format!("{missing}: signed, and the command, run again, makes no such file")));
        }
        if let Some(new) = outputs.iter().find(|path| !claimed.contains(path)) {
            return Err(Stop::Failed(format!("{new}: the command, run again, makes this file, and it is not signed")));
        }
        let subjects = &self.run.manifest().statement().subject;
        let mut different = Vec::new();
        for path in claimed {
            let signed = subjects.iter().find(|subject| subject.name == *path);
            let Some(signed) = signed else {
                return Err(Stop::Failed(format!("{path} is not among the signed files")));
            };
            let got = crate::digest::FileDigest::of_file(&again.join(path.as_str())).map_err(not_checked)?.sha256;
            if got != signed.digest.sha256 {
                different.push((path, signed.digest.sha256, got));
            }
        }
        let Some((path, expected, got)) = different.first() else { return Ok(claimed.len() as u64) };
        let explained = first_difference(path.as_str(), self.run.root(), again);
        let first = match explained {
            Ok(Some(difference)) => difference.to_string(),
            // The signed file is not here, or is not what was signed.
            Ok(None) | Err(_) => format!("{path}: expected sha256 {expected}, got {got}"),
        };
        Err(Stop::Failed(format!("{} of {} outputs differ; the first: {first}", different.len(), claimed.len())))
    }

    /// Compares the metrics of the record with those that the command gave again. Of a file that is no declared output the
    /// config does not promise that it comes out again: other figures from there show nothing, and are not passed.
    fn compare_metrics(
        &self,
        command: &CheckedCommand,
        again: &Path,
        outputs: &[RelativePath],
    ) -> Result<String, Stop> {
        let is_output = |name: &String| outputs.iter().any(|output| output.as_str() == name.as_str());
        let there: Vec<_> = command.metrics.iter().filter(|name| again.join(name).exists()).cloned().collect();
        let found = metrics::read(again, &there).map_err(failed)?;
        let bits = |(name, value): (&str, f64)| (name.to_owned(), value.to_bits());
        let claimed = &self.run.claim().metrics;
        let expected: Vec<_> = claimed.iter().map(|metric| bits((&metric.name, metric.value.get()))).collect();
        let got: Vec<_> = found.iter().map(|(name, value)| bits((name, *value))).collect();
        if expected != got {
            let shown: Vec<_> = found.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            let shown = if shown.is_empty() { "none".to_owned() } else { shown.join(", ") };
            if let Some(name) = there.iter().find(|name| !is_output(name)) {
                return Err(Stop::NotChecked(format!(
                    "metrics: {name}, which is no declared output, came out otherwise: expected those of the record, got {shown}"
                )));
            }
            return Err(Stop::Failed(format!("metrics: expected those of the record, got {shown}")));
        }
        Ok(format!("{} metrics are those of the record", expected.len()))
    }
}

/// A path that stays inside of a folder, without `.` in it.
fn inside(path: &Path) -> Option<PathBuf> {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    let clean: PathBuf = parts.collect();
    RelativePath::parse(clean.to_str()?).ok().map(|_| clean)
}

/// Makes the folders down to `relative` below `folder`; no link on the way is followed, as the sources are a stranger's.
fn make_way(folder: &Path, relative: &Path) -> Result<(), Failure> {
    let mut way = folder.to_owned();
    for part in relative.components() {
        way.push(part);
        match way.symlink_metadata() {
            Ok(found) if found.is_dir() => {}
            Ok(found) => {
                let got = if found.is_symlink() { "a link" } else { "a file" };
                let place = way.strip_prefix(folder).unwrap_or(&way).display();
                return Err(Failure::new(format!("{place}: expected a folder of the recorded sources, got {got}")));
            }
            Err(_) => std::fs::create_dir(&way)?,
        }
    }
    Ok(())
}

/// Puts a link to `place` at `relative` below `folder`, instead of what is there; no link on the way to it is followed.
fn link_in(place: &Path, folder: &Path, relative: &Path) -> Result<(), Failure> {
    let target = folder.join(relative);
    // An input within another one is there already.
    if target.canonicalize().is_ok_and(|there| there == place) {
        return Ok(());
    }
    make_way(folder, relative.parent().unwrap_or(Path::new("")))?;
    match target.symlink_metadata() {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(&target)?,
        Ok(_) => std::fs::remove_file(&target)?,
        Err(_) => {}
    }
    Ok(std::os::unix::fs::symlink(place, &target)?)
}

/// A command that did not end well here shows nothing of what it did there.
fn judge(finished: &Finished, run: &Path) -> Result<(), Stop> {
    let how = match &finished.end {
        End::Exited(0) if finished.survivors == 0 => return Ok(()),
        End::Exited(code) => format!("exited with {code}"),
        End::Signalled(signal) => format!("was ended by signal {signal}"),
        End::WallLimit => format!("took more than {WALL_FACTOR} times its limit"),
        End::OutputLimit => "printed more than its limit".to_owned(),
        End::DirectoryLimit => "wrote more than its limit".to_owned(),
        End::Stopped => "was stopped".to_owned(),
        End::LeftProcesses(count) => format!("left {count} processes"),
    };
    let printed = std::fs::read(run.join(COMMAND_STDERR)).unwrap_or_default();
    let end = &printed[printed.len().saturating_sub(TOLD_BYTES)..];
    let end = String::from_utf8_lossy(end).trim().to_owned();
    let end = if end.is_empty() { String::new() } else { format!("; at the end it printed: {end}") };
    Err(Stop::NotChecked(format!("the command, run again here, {how}, so there is nothing to compare{end}")))
}

fn here(sandbox: &Sandbox) -> String {
    match sandbox {
        Sandbox::Landlock { abi } => {
            format!("kept by Landlock (version {abi}) from writing outside of its folders, and by nothing from reading")
        }
        Sandbox::None { why } => format!("kept from nothing ({why})"),
    }
}

fn there(sandbox: &SandboxRecord) -> String {
    match sandbox {
        SandboxRecord::Landlock { abi } => format!("Landlock (version {abi})"),
        SandboxRecord::None { reason } => format!("nothing ({reason})"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_is_made_or_linked_through_a_link_of_the_sources() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in ["sources", "outside", "data"] {
            std::fs::create_dir(path(name)).expect("a folder");
        }
        symlink(path("outside"), path("sources/link")).expect("a link");
        let sources = path("sources");
        assert!(make_way(&sources, Path::new("link/new")).is_err());
        assert!(link_in(&path("data"), &sources, Path::new("link/data")).is_err());
        assert_eq!(std::fs::read_dir(path("outside")).expect("a folder").count(), 0);
        // What stands in the place of an input is replaced, a link included, and not what it leads to.
        link_in(&path("data"), &sources, Path::new("link")).expect("linked");
        link_in(&path("data"), &sources, Path::new("a/b")).expect("linked");
        assert_eq!(std::fs::read_link(sources.join("link")).expect("a link"), path("data"));
        assert!(path("outside").is_dir() && sources.join("a/b").is_dir());
    }

    #[test]
    fn paths_stay_inside_or_are_none() {
        assert_eq!(inside(Path::new("./a/./b")), Some(PathBuf::from("a/b")));
        for path in ["../a", "/a", "a/../../b", "", "."] {
            assert_eq!(inside(Path::new(path)), None, "{path}");
        }
    }
}
