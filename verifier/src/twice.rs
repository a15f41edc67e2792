//! `spectramind-verify twice`: runs a command more than once while what must not matter is varied, and compares all that it
//! made. It needs no golden files, no record and no key.

mod arguments;
mod clue;
mod compare;
mod conditions;
mod findings;
mod outputs;
mod run;
mod scratch;
mod search;
mod setting;
mod source;
mod variation;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use spectramind::process::Status;
use spectramind::verify::{Check, Report};

pub use self::arguments::TwiceArguments;
use self::compare::{Comparison, Differences, Item, ended};
use self::findings::NotVaried;
use self::run::{Bench, Ran};
use self::scratch::Scratch;
use self::search::{Attempts, Causes, Search};
use self::setting::{Environment, Setting};
use self::source::Source;
use self::variation::Variation;

/// Runs the command and says what it found.
///
/// # Errors
/// For arguments that cannot be meant.
pub fn report(arguments: &TwiceArguments) -> Result<Report> {
    arguments.check()?;
    let mut report = Report::new(format!("twice {}", arguments.shown()), false);
    report.not_proved = findings::NOT_PROVED.map(str::to_owned).to_vec();
    let writable = arguments.writable()?;
    report.checks = checks(arguments, writable).unwrap_or_else(|why| vec![not_checked(why)]);
    Ok(report)
}

fn not_checked(why: String) -> Check {
    let mut check = Check::new("twice");
    check.not_checked(why);
    check
}

/// All runs, and what they are compared by.
pub struct Session<'a> {
    arguments: &'a TwiceArguments,
    source: Source,
    bench: Bench<'a>,
    comparison: Comparison,
    first: Option<Ran>,
    /// Everything that was compared.
    compared: BTreeSet<Item>,
    /// How the runs ended.
    statuses: Vec<Status>,
    /// What is to be said of the first processes that were left.
    left: Option<String>,
    /// When the first two runs began.
    times: String,
    /// How many values of each variation were tried.
    choices: usize,
}

fn checks(arguments: &TwiceArguments, writable: Vec<std::path::PathBuf>) -> Result<Vec<Check>, String> {
    let environment: Environment = std::env::vars_os().collect();
    let source = Source::of(&arguments.directory, &arguments.include)?;
    let (wishes, asked) = arguments.wishes();
    let (mut settings, mut not_varied) = (Vec::<Setting>::new(), Vec::new());
    for wish in &wishes {
        match setting::of(wish, &environment) {
            Ok(setting) => settings.push(setting),
            Err(why) => not_varied.push(NotVaried { variation: wish.variation, why, asked }),
        }
    }
    let is_listing = |setting: &Setting| setting.variation == Variation::Listing;
    let (bytes, listing) = (source.bytes(), settings.iter().any(is_listing));
    let scratch = Scratch::new(arguments.scratch.as_deref(), listing, bytes, source.paths.len());
    let scratch = scratch.map_err(|error| format!("no folder for copies: {error}"))?;
    if let (true, Err(why)) = (listing, &scratch.listing) {
        settings.retain(|setting| !is_listing(setting));
        not_varied.push(NotVaried { variation: Variation::Listing, why: why.clone(), asked });
    }
    // The copy that all others are made from, one to run in, and what is kept.
    if let Some(room) = scratch.room().filter(|room| bytes.saturating_mul(3) > *room) {
        let (root, place) = (source.root.display(), scratch.path.display());
        return Err(format!(
            "{root} has {bytes} bytes to copy: expected room for three copies in {place}, got {room} bytes"
        ));
    }
    let pristine = source.copy_to(&scratch.path.join("pristine"))?;
    let patterns = arguments.patterns().ok_or("--output: no patterns")?;
    let (modes, stdout, stderr) = (arguments.modes, arguments.stdout, arguments.stderr);
    let comparison = Comparison { patterns, modes, stdout, stderr, pristine: pristine.root.clone() };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, stop.clone())
            .map_err(|error| format!("no end can be asked for: {error}"))?;
    }
    let bench = Bench::new(arguments, settings, environment, pristine, &scratch, writable, stop);
    let mut session = Session {
        arguments,
        source,
        bench,
        comparison,
        first: None,
        compared: BTreeSet::new(),
        statuses: Vec::new(),
        left: None,
        times: String::new(),
        choices: arguments.runs as usize - 1,
    };
    session.all(&mut not_varied, asked)
}

impl Session<'_> {
    fn all(&mut self, not_varied: &mut Vec<NotVaried>, asked: bool) -> Result<Vec<Check>, String> {
        let first = self.bench.run(&[], 0)?;
        self.look_at(&first, &[], None)?;
        self.first = Some(first);
        let mut all = self.varied();
        let (mut is_equal, mut broken) = (true, None);
        let choices = self.choices;
        let mut search = Search::new(self);
        for choice in 1..=choices {
            match search.all_varied(&all, choice) {
                Ok(equal) => is_equal &= equal,
                Err(why) if is_equal => return Err(why),
                // What was found stays found.
                Err(why) => {
                    broken = Some(why);
                    break;
                }
            }
            if choice == 1 {
                search.on.without_listing(not_varied, asked);
                if all != search.on.varied() {
                    all = search.on.varied();
                    search.forget(Variation::Listing);
                }
            }
        }
        let causes: Option<Causes> = match is_equal {
            true => None,
            false if search.on.failed_throughout().is_some() => None,
            false => Some(search.causes(&all, broken)),
        };
        if let Some(how) = self.failed_throughout() {
            return Err(format!("the command failed in all {} runs: exit status {how}", self.statuses.len()));
        }
        let kept: Vec<Variation> = self.arguments.keep.clone();
        let mut checks = vec![findings::whole(self, causes.as_ref(), not_varied, &kept)];
        if let Some(why) = self.nothing_compared() {
            checks[0].not_checked(why);
        }
        checks.extend(findings::variations(self, causes.as_ref(), not_varied));
        Ok(checks)
    }

    /// The variations that are made by setting something; the clock goes on by itself.
    fn varied(&self) -> Vec<Variation> {
        let all = self.bench.settings.iter().map(|setting| setting.variation);
        all.filter(|variation| *variation != Variation::Clock).collect()
    }

    /// Takes back that listings are varied if no folder lists its files in another order.
    fn without_listing(&mut self, not_varied: &mut Vec<NotVaried>, asked: bool) {
        let bench = &mut self.bench;
        if bench.setting(Variation::Listing).is_none() || bench.listed_otherwise.is_some_and(|count| count > 0) {
            return;
        }
        let why = match bench.listed.as_ref().is_none_or(|listed| listed.is_empty()) {
            true => "no folder of the copy has several entries",
            false => "the folders of the copies list their files in the same order, however they are made",
        };
        bench.settings.retain(|setting| setting.variation != Variation::Listing);
        not_varied.push(NotVaried { variation: Variation::Listing, why: why.into(), asked });
    }

    /// How the command failed, if it did so in every run and in the same way.
    fn failed_throughout(&self) -> Option<String> {
        let first = self.first.as_ref()?;
        let failed = first.status != Status::Exited(0) && self.statuses.iter().all(|status| *status == first.status);
        failed.then(|| ended(first))
    }

    fn nothing_compared(&self) -> Option<String> {
        let printed = self.first.as_ref().map_or((0, 0), |first| first.printed);
        let asked = (self.arguments.stdout && printed.0 > 0) || (self.arguments.stderr && printed.1 > 0);
        let files = self.compared.iter().any(|item| item.file().is_some());
        (!asked && !files).then(|| match self.arguments.output.is_empty() {
            true => {
                "the command made, changed and removed no file in its copy, so there was nothing to compare: --stdout \
                     compares what it prints"
                    .into()
            }
            false => format!(
                "no output matches --output {}, so there was nothing to compare",
                self.arguments.output.join(" ")
            ),
        })
    }

    /// Takes note of a run, tells the user, and keeps its outputs where that is wanted.
    fn look_at(&mut self, ran: &Ran, varied: &[Variation], differing: Option<usize>) -> Result<(), String> {
        let name = match varied {
            [] => "nothing varied".to_owned(),
            [one] => one.name().to_owned(),
            all if *all == self.varied() => "everything varied".to_owned(),
            some => some.iter().map(|variation| variation.name()).collect::<Vec<_>>().join("+"),
        };
        let seconds = ran.time.end - ran.time.begin;
        let what = match differing {
            None => String::new(),
            Some(0) => ": equal".to_owned(),
            Some(count) => format!(": {count} differ"),
        };
        eprintln!("run {} ({name}): {seconds} s{what}", ran.number);
        self.statuses.push(ran.status);
        self.compared.insert(Item::Exit);
        for (asked, item) in [(self.comparison.stdout, Item::Stdout), (self.comparison.stderr, Item::Stderr)] {
            self.compared.extend(asked.then_some(item));
        }
        self.compared.extend(self.comparison.outputs(ran).map(|path| Item::File(path.to_owned())));
        // The others did as the first did, or what they made tells.
        if !ran.left.is_empty() && self.left.is_none() {
            self.left = Some(format!("run {} left processes, which were ended: {}", ran.number, ran.left.join(", ")));
        }
        if let (2, Some(first)) = (ran.number, &self.first) {
            let later = ran.time.begin - first.time.begin;
            self.times = format!("run 2 began {later} s after run 1; all others later");
        }
        if let Some(copies) = &self.arguments.keep_copies
            && differing != Some(0)
        {
            let place = copies.join(format!("run-{:02}-{}", ran.number, name.replace(' ', "-")));
            copy_folder(&ran.folder, &place).map_err(|error| format!("--keep-copies {}: {error}", place.display()))?;
        }
        Ok(())
    }
}

impl Attempts for Session<'_> {
    fn attempt(&mut self, varied: &[Variation], choice: usize) -> Result<Differences, String> {
        let ran = self.bench.run(varied, choice)?;
        let first = self.first.as_ref().ok_or("there was no first run")?;
        let differing = self.comparison.differences(first, &ran)?;
        self.look_at(&ran, varied, Some(differing.len()))?;
        Scratch::remove(&ran.folder).map_err(|error| format!("{}: {error}", ran.folder.display()))?;
        Ok(differing)
    }
}

/// Copies files, links and folders.
fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, place) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_folder(&entry.path(), &place)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, &place)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &place)?;
        }
    }
    Ok(())
}
