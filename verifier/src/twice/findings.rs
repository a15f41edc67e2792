//! What the runs showed, as checks of a report: one for the whole, and one for each variation.

use std::collections::BTreeMap;
use std::path::Path;

use spectramind::process::sandbox::Sandbox;
use spectramind::verify::{Check, Verdict};

use super::Session;
use super::compare::{Found, Item};
use super::search::{Causes, Seen, Times};
use super::setting::Setting;
use super::variation::Variation;

/// Most outputs that are named in one finding or list of them.
const NAMED: usize = 20;

/// What a passed report does not prove.
pub const NOT_PROVED: [&str; 5] = [
    "that what the command made is right",
    "that it would be the same on another machine, with another version of any program or library, or at another time of day, \
     month or year",
    "that nothing else matters: only the variations that are named were made, each with one value or a few",
    "that chance would not show in more runs: what differs rarely is seen rarely",
    "anything about what the command wrote or sent elsewhere than into its copy of the folder",
];

/// A variation that was not made.
pub struct NotVaried {
    pub variation: Variation,
    pub why: String,
    /// Whether it was asked for by name.
    pub asked: bool,
}

/// The check of the whole: what was run, what was compared, and what differs without a cause among the variations.
pub fn whole(session: &Session<'_>, causes: Option<&Causes>, not_varied: &[NotVaried], kept: &[Variation]) -> Check {
    let mut check = Check::new("twice");
    if let Some(causes) = causes {
        without_cause(session, causes, &mut check);
        with_cause(causes, &mut check);
    }
    what_ran(session, &mut check);
    what_was_compared(session, &mut check);
    for NotVaried { variation, why, .. } in not_varied.iter().filter(|it| !it.asked) {
        check.note(format!("not varied: {}: {why}", variation.name()));
    }
    if !kept.is_empty() {
        let names: Vec<_> = kept.iter().map(|variation| variation.name()).collect();
        check.note(format!("not varied, as you asked: {}", names.join(", ")));
    }
    check
}

/// The check of each variation that was made, or was asked for by name.
pub fn variations(session: &Session<'_>, causes: Option<&Causes>, not_varied: &[NotVaried]) -> Vec<Check> {
    let mut checks: Vec<Check> =
        session.bench.settings.iter().map(|setting| variation(session, causes, setting)).collect();
    for NotVaried { variation, why, .. } in not_varied.iter().filter(|it| it.asked) {
        let mut check = Check::new(&variation.check());
        check.not_checked(format!("not varied: {why}"));
        checks.push(check);
    }
    checks
}

fn without_cause(session: &Session<'_>, causes: &Causes, check: &mut Check) {
    let seen = causes.unvaried.iter().filter(|(_, seen)| !is_of_clock(session, &seen.found));
    each(check, seen, |Seen { found, times }| {
        let guess = match found.is_time {
            true => "it looks like the time of the run",
            false => "an uninitialised seed, a time stamp, a race, an address, a process id",
        };
        format!("{}: differs without any variation ({}): {guess}", found.text, rate(*times))
    });
    each(check, causes.passing.iter(), |found| {
        format!(
            "{}: differed with variations, and not when the same was done again: chance, such as a race, that no variation explains",
            found.text
        )
    });
    each(check, causes.unknown.iter(), |found| {
        format!("{}: differs with everything varied; the cause was not found", found.text)
    });
    if let Some(why) = &causes.broken {
        check.note(format!("the search for causes ended early: {why}"));
    }
    if !causes.unvaried.is_empty() {
        let names = causes.unvaried.keys().take(NAMED).map(Item::name).collect::<Vec<_>>().join(", ");
        check.note(format!("whether a variation changes what differs anyway was not checked: {names}"));
    }
}

/// Says in one line what is found in the checks of the variations.
fn with_cause(causes: &Causes, check: &mut Check) {
    let names =
        |items: &mut dyn Iterator<Item = &Item>| items.take(NAMED).map(Item::name).collect::<Vec<_>>().join(", ");
    let alone =
        causes.alone.iter().map(|(variation, items)| format!("{} ({})", variation.name(), names(&mut items.keys())));
    let together = causes.together.iter().map(|(set, items)| {
        let set = set.iter().map(|variation| variation.name()).collect::<Vec<_>>().join(" with ");
        format!("{set} ({})", names(&mut items.keys()))
    });
    let all: Vec<_> = alone.chain(together).collect();
    if !all.is_empty() {
        check.fail(format!("outputs depend on: {}", all.join("; ")));
    }
    let clock = causes.unvaried.iter().filter(|(_, seen)| seen.found.is_time).map(|(item, _)| item);
    let clock = names(&mut clock.into_iter());
    if !clock.is_empty() {
        check.fail(format!("outputs seem to depend on: clock ({clock})"));
    }
}

fn variation(session: &Session<'_>, causes: Option<&Causes>, setting: &Setting) -> Check {
    let variation = setting.variation;
    let mut check = Check::new(&variation.check());
    let used = setting.varied.iter().take(session.choices);
    let values = used.map(|value| value.shown.as_str()).collect::<Vec<_>>().join("; then ");
    let mut values = format!("run 1: {}; varied: {values}", setting.plain.shown);
    if let (Variation::Listing, Some(listed), Some(otherwise)) =
        (variation, &session.bench.listed, session.bench.listed_otherwise)
    {
        values = format!(
            "{values} ({otherwise} of {} folders with several entries list them in another order)",
            listed.len()
        );
    }
    if variation == Variation::Clock {
        values = session.times.clone();
    }
    check.note(values);
    let Some(causes) = causes else { return check };
    if variation == Variation::Clock {
        let seen = causes.unvaried.iter().filter(|(_, seen)| is_of_clock(session, &seen.found));
        each(&mut check, seen, |Seen { found, times }| {
            let rate = rate(*times);
            format!("{}: differs without any other variation ({rate}) and looks like the time of the run", found.text)
        });
    }
    let mut is_cause = false;
    if let Some(items) = causes.alone.get(&variation) {
        is_cause = true;
        let plain = causes.plain_runs;
        each(&mut check, items.iter(), |Seen { found, times }| match times.differed == times.runs {
            true if times.runs > 1 => format!(
                "{}: differs when this alone is varied, in {} of {} runs, and without in none of {plain}",
                found.text, times.differed, times.runs
            ),
            true => format!("{}: differs when this alone is varied, in the only run that tried it", found.text),
            false => format!(
                "{}: differed when this alone was varied, in {} of {} runs: it may be chance, such as a race, and not this",
                found.text, times.differed, times.runs
            ),
        });
    }
    for (set, items) in causes.together.iter().filter(|(set, _)| set.contains(&variation)) {
        is_cause = true;
        let others = set.iter().filter(|other| **other != variation).map(|other| other.name());
        let others = others.collect::<Vec<_>>().join(", ");
        each(&mut check, items.iter(), |found| {
            format!("{}: differs when this is varied together with {others}, and by no single variation", found.text)
        });
    }
    if check.verdict == Verdict::Failed {
        check.note(format!("hint: {}", variation.hint()));
    } else if !is_cause && variation != Variation::Clock {
        let stable = session.compared.iter().filter(|item| !causes.unvaried.contains_key(item)).count();
        if causes.broken.is_some() {
            check.not_checked("whether it makes a difference is not known: the search for causes ended early".into());
        } else if stable == 0 {
            check.not_checked("whether it makes a difference is not known: everything differs without it".into());
        }
    }
    check
}

fn is_of_clock(session: &Session<'_>, found: &Found) -> bool {
    found.is_time && session.bench.setting(Variation::Clock).is_some()
}

fn what_ran(session: &Session<'_>, check: &mut Check) {
    let (bench, source) = (&session.bench, &session.source);
    let which = match source.by_git {
        true => "files that git tracks or does not ignore",
        false => "all files: it is in no git repository",
    };
    let pristine = &bench.pristine;
    let (files, bytes, root, scratch) =
        (pristine.files, pristine.bytes, source.root.display(), bench.scratch.path.display());
    check.note(format!(
        "copied for each run: {files} files, {bytes} bytes, of {root} ({which}), to {scratch}, which was removed"
    ));
    let list = |paths: &[std::path::PathBuf]| {
        let shown: Vec<_> = paths.iter().take(NAMED).map(|path| path.display().to_string()).collect();
        format!("{}{}", shown.join(", "), if paths.len() > NAMED { ", …" } else { "" })
    };
    if !pristine.links_out.is_empty() {
        let links = list(&pristine.links_out);
        check.note(format!("links that lead out of the folder, so that all runs share what they lead to: {links}"));
    }
    if !pristine.skipped.is_empty() {
        check.note(format!("not copied, as they are no files: {}", list(&pristine.skipped)));
    }
    let naming = session.arguments.naming(&source.root);
    if !naming.is_empty() {
        let words = naming.join(", ");
        check.note(format!("the command names the folder itself, which all runs share, and not its copy: {words}"));
    }
    let root = source.root.to_string_lossy();
    let own = ["PWD", "OLDPWD", "_"];
    let names = bench
        .environment
        .iter()
        .filter(|(name, value)| !own.contains(&&*name.to_string_lossy()) && value.to_string_lossy().contains(&*root));
    let names: Vec<_> = names.map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    if !names.is_empty() {
        let names = names.join(", ");
        check.note(format!("variables that name the folder itself, which all runs share, and not its copy: {names}"));
    }
    match &bench.confined {
        Some(Sandbox::Landlock { .. }) => {
            let own = "its copy, TMPDIR, a HOME that is varied, devices and /dev/shm, and what --writes names";
            check.note(format!("kept from writing elsewhere than to {own}: by Landlock"));
        }
        Some(Sandbox::None { why }) => check.note(format!("nothing kept the command from writing elsewhere: {why}")),
        None => {}
    }
    if let Some(left) = &session.left {
        check.note(left.clone());
    }
    check.note(format!("{} runs, whose outputs had {} bytes in all", bench.count, bench.written));
}

fn what_was_compared(session: &Session<'_>, check: &mut Check) {
    let files: Vec<&str> = session.compared.iter().filter_map(|item| item.file().and_then(Path::to_str)).collect();
    let named = files.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    let more = if files.len() > NAMED { format!(" and {} more", files.len() - NAMED) } else { String::new() };
    let mut compared = vec!["the exit status".to_owned()];
    let mut not = Vec::new();
    let arguments = session.arguments;
    for (asked, name, option) in
        [(arguments.stdout, "standard output", "--stdout"), (arguments.stderr, "standard error", "--stderr")]
    {
        match asked {
            true => compared.push(name.into()),
            false => not.push(format!("{name} ({option})")),
        }
    }
    let which = if arguments.output.is_empty() { "made, changed or removed" } else { "that --output names" };
    compared.push(match files.is_empty() {
        true => format!("no file: none was {which}"),
        false => format!("every file, link and folder {which}, {} in all: {named}{more}", files.len()),
    });
    not.push(match arguments.modes {
        true => "times of files".into(),
        false => "permissions but for whether the owner may execute a file (--modes), times of files".into(),
    });
    check.note(format!("compared with run 1: {}", compared.join("; ")));
    check.note(format!("not compared: {}", not.join(", ")));
}

/// Adds a failure for each item, up to a number.
fn each<'a, T: 'a>(check: &mut Check, items: impl Iterator<Item = (&'a Item, &'a T)>, say: impl Fn(&T) -> String) {
    let all: BTreeMap<&Item, &T> = items.collect();
    for (item, what) in all.iter().take(NAMED) {
        match item.file() {
            Some(file) => check.fail_at(file, say(what)),
            None => check.fail(say(what)),
        }
    }
    if all.len() > NAMED {
        check.fail(format!("and {} more", all.len() - NAMED));
    }
}

fn rate(times: Times) -> String {
    let Times { differed, runs } = times;
    match differed == runs {
        true if runs == 1 => "in the run that tried it".into(),
        true => format!("in all {runs} runs that tried it"),
        false => format!("in {differed} of {runs} runs that tried it: not always"),
    }
}
