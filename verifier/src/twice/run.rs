//! One run of the command: in a fresh copy, under the conditions of that run.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use spectramind::interruption::Interruption;
use spectramind::process::sandbox::{Confinement, Network, Sandbox};
use spectramind::process::{self, End, Finished, Invocation, Limits, Status};

use super::arguments::TwiceArguments;
use super::conditions::Choices;
use super::outputs::{self, Seen};
use super::scratch::Scratch;
use super::setting::{Environment, Setting, Value};
use super::source::{Order, Pristine, sentence};
use super::variation::Variation;

/// Most bytes of stdout and stderr of one run.
const MAX_OUTPUT_BYTES: u64 = 1 << 30;

/// When something took place, in seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Interval {
    pub begin: i64,
    pub end: i64,
}

/// A run that came to its end.
pub struct Ran {
    /// Counted from 1.
    pub number: u32,
    /// Where its outputs are: `tree`, `stdout.txt`, `stderr.txt`.
    pub folder: PathBuf,
    pub status: Status,
    pub outputs: BTreeMap<String, Seen>,
    pub printed: (u64, u64),
    pub time: Interval,
    /// Names of processes that it left, which were ended.
    pub left: Vec<String>,
}

/// Everything that runs are made from.
pub struct Bench<'a> {
    pub arguments: &'a TwiceArguments,
    pub settings: Vec<Setting>,
    pub environment: Environment,
    pub pristine: Pristine,
    pub scratch: &'a Scratch,
    pub writable: Vec<PathBuf>,
    /// Set when the user wants an end.
    pub stop: Arc<AtomicBool>,
    pub count: u32,
    /// How many bytes the outputs of all runs had.
    pub written: u64,
    /// What kept the command from writing elsewhere.
    pub confined: Option<Sandbox>,
    /// In which order the folders of the first copy list what is in them.
    pub listed: Option<BTreeMap<PathBuf, Vec<OsString>>>,
    /// Of how many such folders those of a varied run list it in another order.
    pub listed_otherwise: Option<usize>,
    first_end: Option<i64>,
}

/// Where a run takes place.
pub struct Place {
    pub tree: PathBuf,
    pub temporary: PathBuf,
    pub home: Option<PathBuf>,
}

impl<'a> Bench<'a> {
    pub fn new(
        arguments: &'a TwiceArguments,
        settings: Vec<Setting>,
        environment: Environment,
        pristine: Pristine,
        scratch: &'a Scratch,
        writable: Vec<PathBuf>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let mut bench = Self {
            arguments,
            settings,
            environment,
            pristine,
            scratch,
            writable,
            stop,
            count: 0,
            written: 0,
            confined: None,
            listed: None,
            listed_otherwise: None,
            first_end: None,
        };
        bench.name_places();
        bench
    }

    /// Puts the paths into the settings, which are shown.
    fn name_places(&mut self) {
        let name = |variation: Variation, choice: usize| match variation {
            Variation::Path => Some(self.folder(&tree(&self.scratch.path, choice)).display().to_string()),
            Variation::Home => Some(home(&self.scratch.path, choice).display().to_string()),
            _ => None,
        };
        let mut settings = self.settings.clone();
        for setting in &mut settings {
            if let Some(shown) = name(setting.variation, 0) {
                let varied = (1..self.arguments.runs as usize).filter_map(|choice| name(setting.variation, choice));
                setting.varied = varied.map(|shown| Value { shown, set: None }).collect();
                setting.plain = Value { shown, set: None };
            }
        }
        self.settings = settings;
    }

    /// Where in a copy the command runs; without a `/` at the end, which a program would see.
    pub fn folder(&self, tree: &Path) -> PathBuf {
        let inside = &self.pristine.inside;
        if inside.as_os_str().is_empty() { tree.to_owned() } else { tree.join(inside) }
    }

    /// The setting of a variation, if it is made.
    pub fn setting(&self, variation: Variation) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.variation == variation)
    }

    /// Runs the command with these variations, each by its value of that number, counted from 1; all others are plain.
    pub fn run(&mut self, varied: &[Variation], choice: usize) -> Result<Ran, String> {
        let of = |variation: Variation| if varied.contains(&variation) { choice.max(1) } else { 0 };
        if self.count == self.arguments.max_runs {
            return Err(format!("{} runs were made, the most by --max-runs", self.count));
        }
        self.count += 1;
        let number = self.count;
        let failed = |what: &str, error: io::Error| format!("run {number}: {what}: {error}");
        let place = self.place(&of).map_err(|error| failed("cannot make its folders", error))?;
        let order = if of(Variation::Listing) == 0 { Order::Sorted } else { Order::Reversed };
        self.pristine.copy_to(&place.tree, order).map_err(|error| failed("cannot copy", error))?;
        if self.setting(Variation::Listing).is_some() {
            self.note_listing(&place.tree, order).map_err(|error| failed("cannot list its copy", error))?;
        }
        let before = outputs::before(&place.tree).map_err(|error| failed("cannot list its copy", error))?;
        let folder = self.scratch.path.join(format!("kept/{number}"));
        fs::create_dir_all(&folder).map_err(|error| failed("cannot make its folders", error))?;
        if number == 2 && self.setting(Variation::Clock).is_some() {
            self.wait_for_the_clock();
        }
        let begin = Timestamp::now().as_second();
        let finished = self.execute(&of, &place, &folder).map_err(|error| format!("run {number}: {error}"))?;
        let time = Interval { begin, end: Timestamp::now().as_second() };
        if number == 1 {
            self.first_end = Some(time.end);
        }
        let status = usable(&finished, self.arguments).map_err(|why| format!("run {number}: the command {why}"))?;
        let made = outputs::after(&place.tree, &before).map_err(|error| failed("cannot look at its outputs", error))?;
        let kept = folder.join("tree");
        let moved = outputs::keep_only(&place.tree, &made).and_then(|()| fs::rename(&place.tree, &kept));
        moved.map_err(|error| failed("cannot keep its outputs", error))?;
        for done in [Some(&place.temporary), place.home.as_ref()].into_iter().flatten() {
            Scratch::remove(done).map_err(|error| failed("cannot remove what it left", error))?;
        }
        let sizes = made.keys().filter_map(|path| fs::symlink_metadata(kept.join(path)).ok());
        self.written += sizes.filter(fs::Metadata::is_file).map(|found| found.len()).sum::<u64>();
        Ok(Ran {
            number,
            folder,
            status,
            outputs: made,
            printed: (finished.stdout_bytes, finished.stderr_bytes),
            time,
            left: finished.left,
        })
    }

    fn place(&self, of: &Choices<'_>) -> io::Result<Place> {
        let tree = tree(&self.scratch.path, of(Variation::Path));
        let temporary = tree.with_file_name("tmp");
        let home = self.setting(Variation::Home).map(|_| home(&self.scratch.path, of(Variation::Home)));
        for folder in [Some(&tree), Some(&temporary), home.as_ref()].into_iter().flatten() {
            // A run that broke off may have left it.
            Scratch::remove(folder)?;
            fs::create_dir_all(folder)?;
        }
        Ok(Place { tree, temporary, home })
    }

    fn execute(&mut self, of: &Choices<'_>, place: &Place, folder: &Path) -> Result<Finished, String> {
        let surroundings = self.surroundings(of)?;
        let environment = self.environment(of, place);
        let own = [Some(&place.tree), Some(&place.temporary), place.home.as_ref()];
        let writable: Vec<&Path> = own.into_iter().flatten().chain(&self.writable).map(|path| &**path).collect();
        let confinement = Confinement::to(&writable, Network::Open).map_err(|error| sentence(&error))?;
        let limits = Limits {
            wall: self.arguments.timeout(),
            directory: self.scratch.most_bytes.map(|bytes| (place.tree.as_path(), bytes)),
            grace: Duration::from_secs(2),
            ..Limits::of_output(MAX_OUTPUT_BYTES)
        };
        let invocation = Invocation {
            words: &self.arguments.words,
            folder: &self.folder(&place.tree),
            environment: environment.iter().map(|(name, value)| (&**name, &**value)).collect(),
            stdout: &folder.join("stdout.txt"),
            stderr: &folder.join("stderr.txt"),
            limits,
            confinement: &confinement,
            surroundings: &surroundings,
        };
        let stop = self.stop.clone();
        let finished = process::run(&invocation, &mut |_, _| {}, &|| {
            stop.load(Ordering::Relaxed).then_some(Interruption::Terminate)
        });
        self.confined = Some(confinement.in_force().clone());
        finished.map_err(|error| sentence(&error))
    }

    /// Looks whether the folders of a copy list their files in another order than those of the first one.
    fn note_listing(&mut self, tree: &Path, order: Order) -> io::Result<()> {
        if order == Order::Reversed && self.listed_otherwise.is_some() {
            return Ok(());
        }
        let mut listed = BTreeMap::new();
        let mut pending = vec![PathBuf::new()];
        while let Some(folder) = pending.pop() {
            let mut names = Vec::new();
            for entry in fs::read_dir(tree.join(&folder))? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    pending.push(folder.join(entry.file_name()));
                }
                names.push(entry.file_name());
            }
            if names.len() > 1 {
                listed.insert(folder, names);
            }
        }
        match (&self.listed, order) {
            (None, _) => self.listed = Some(listed),
            (Some(first), Order::Reversed) => {
                self.listed_otherwise =
                    Some(listed.iter().filter(|(folder, names)| first.get(*folder) != Some(names)).count());
            }
            _ => {}
        }
        Ok(())
    }

    /// Waits until what is stamped with the time, to two seconds as in zip archives, gets another stamp than the first run's.
    fn wait_for_the_clock(&self) {
        let Some(end) = self.first_end else { return };
        while Timestamp::now().as_second() / 2 <= end / 2 && !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn tree(scratch: &Path, choice: usize) -> PathBuf {
    match choice {
        0 => scratch.join("run/tree"),
        choice => scratch.join(format!("elsewhere/a-longer-way-{choice}/checkout")),
    }
}

fn home(scratch: &Path, choice: usize) -> PathBuf {
    match choice {
        0 => scratch.join("home"),
        choice => scratch.join(format!("people/somebody-{choice}")),
    }
}

/// How a run ended whose outputs can be looked at.
fn usable(finished: &Finished, arguments: &TwiceArguments) -> Result<Status, String> {
    if finished.survivors > 0 {
        return Err("left processes that could not be ended".into());
    }
    match (&finished.end, finished.status) {
        (End::Exited(_) | End::Signalled(_) | End::LeftProcesses(_), Some(status)) => Ok(status),
        (End::WallLimit, _) => {
            Err(format!("did not end within {} s (--timeout)", arguments.timeout.unwrap_or_default()))
        }
        (End::OutputLimit, _) => Err(format!("printed more than {MAX_OUTPUT_BYTES} bytes")),
        (End::DirectoryLimit, _) => {
            Err("wrote more than there is room for in memory, where its copy is: --scratch DIR puts it elsewhere"
                .into())
        }
        (End::Stopped, _) => Err("was stopped, as you asked".into()),
        _ => Err("ended in a way that nobody can tell".into()),
    }
}
