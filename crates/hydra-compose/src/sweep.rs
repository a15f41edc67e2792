//! Multiruns: which jobs a set of overrides with sweeps comes to, in Hydra's order.
//!
//! Every override is written anew (`b=1e-3` becomes `b=0.001`); a repeated key keeps its first place and its last
//! value; the last sweep varies fastest. Shuffled sweeps get an order that depends on a given seed only. Beyond Hydra,
//! keys can be zipped: then their sweeps vary together.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::compose::RunMode;
use super::composed::Config;
use super::digest::DomainHasher;
use super::error::{ConfigError, ErrorKind, did_you_mean, joined, listed, nearest};
use super::limits::{MAX_JOBS, MAX_JOBS_BYTES};
use super::overrides::{self, Element, Glob, Override, SweepKind, element_text, range};
use super::python;
use super::source::SearchPath;
use super::value::Value;

/// The frame of a multirun and its jobs.
#[derive(Debug, Clone)]
pub struct Sweep {
    frame: Config,
    jobs: Vec<Vec<String>>,
}

impl Sweep {
    pub(super) fn of_frame(
        frame: Config,
        zip: &[Vec<String>],
        search_path: &SearchPath,
        seed: u64,
    ) -> Result<Self, ConfigError> {
        let mut texts = Vec::new();
        // A sweeper need not have params.
        let has_params = frame.hydra().get("sweeper").is_some_and(|sweeper| sweeper.get("params").is_some());
        if has_params && let Value::Map(params) = frame.hydra_value("sweeper.params")? {
            for (key, value) in &params {
                if value.is_missing() {
                    let message = format!("hydra.sweeper.params.{key}: the mandatory value is missing");
                    let hint = format!("`hydra.sweeper.params.{key}=<values>`");
                    return Err(ConfigError::new(ErrorKind::InterpMissingValue, message).with_hint(Some(hint)));
                }
                let text = format!("{key}={}", python::str(value));
                // Nobody typed these, so an error says where they stand.
                overrides::parse(&text).map_err(|error| error.within("hydra.sweeper.params"))?;
                texts.push(text);
            }
        }
        texts.extend_from_slice(frame.overrides());
        let jobs = expand(&texts, zip, search_path, seed)?;
        Ok(Self { frame, jobs })
    }

    /// The config of the multirun itself: its `hydra` node counts for all jobs.
    pub fn frame(&self) -> &Config {
        &self.frame
    }

    /// The task overrides of each job.
    pub fn jobs(&self) -> &[Vec<String>] {
        &self.jobs
    }
}

/// The values of one key, or of keys that vary together.
struct Column {
    /// The overrides that each value comes to; more than one where keys are zipped.
    values: Vec<Vec<String>>,
    swept: bool,
}

/// Lists the jobs of overrides.
fn expand(
    texts: &[String],
    zip: &[Vec<String>],
    search_path: &SearchPath,
    seed: u64,
) -> Result<Vec<Vec<String>>, ConfigError> {
    let parsed: Vec<Override> = texts.iter().map(|text| overrides::parse(text)).collect::<Result<_, _>>()?;
    let mut columns: IndexMap<String, Column> = IndexMap::new();
    for item in &parsed {
        let key = item.key_element();
        let values = match &item.value {
            None => vec!["null".to_owned()],
            Some(value) => values(item, value, search_path, seed).map_err(|error| error.in_override(&item.input))?,
        };
        let values = values.into_iter().map(|value| vec![format!("{key}={value}")]).collect();
        columns.insert(key, Column { values, swept: item.is_sweep() });
    }
    let mut named = HashSet::new();
    if let Some(key) = zip.iter().flatten().find(|key| !named.insert(key.trim_start_matches('+'))) {
        let error = ConfigError::new(ErrorKind::SweepZip, format!("zip: {key:?} is named twice"));
        return Err(error.with_hint(Some("a key varies together with one group of keys only".to_owned())));
    }
    zip.iter().try_for_each(|keys| zip_columns(&mut columns, keys))?;
    let count = columns.values().try_fold(1_usize, |count, column| count.checked_mul(column.values.len()));
    if count.is_none_or(|count| count > MAX_JOBS) {
        let sizes = columns.iter().filter(|(_, column)| column.swept);
        let sizes: Vec<String> = sizes.map(|(key, column)| format!("{key}: {}", column.values.len())).collect();
        let message = format!("expected at most {MAX_JOBS} jobs, got the product of {}", sizes.join(", "));
        let hint = "sweep over fewer values, or let keys vary together".to_owned();
        return Err(ConfigError::new(ErrorKind::Limit, message).with_hint(Some(hint)));
    }
    let count = count.unwrap_or(0);
    // Each value of a column stands in the same number of jobs.
    let bytes = columns.values().filter(|column| !column.values.is_empty()).map(|column| {
        let bytes: usize = column.values.iter().flatten().map(|line| line.len() + size_of::<String>()).sum();
        bytes.saturating_mul(count / column.values.len())
    });
    if bytes.fold(0, usize::saturating_add) > MAX_JOBS_BYTES {
        let message = format!("expected the overrides of all {count} jobs to take at most {MAX_JOBS_BYTES} bytes");
        let hint = "sweep over fewer or shorter values".to_owned();
        return Err(ConfigError::new(ErrorKind::Limit, message).with_hint(Some(hint)));
    }
    let jobs = (0..count).map(|job| {
        // The last sweep varies fastest: columns are the digits of the job's number.
        let mut jobs_per_value = count;
        let lines = |Column { values, .. }: &Column| {
            jobs_per_value /= values.len();
            values[job / jobs_per_value % values.len()].clone()
        };
        columns.values().flat_map(lines).collect()
    });
    Ok(jobs.collect())
}

/// Makes one column of several, in the place of the first that `keys` names.
fn zip_columns(columns: &mut IndexMap<String, Column>, keys: &[String]) -> Result<(), ConfigError> {
    let refused = |message: String, hint: Option<String>| {
        let message = format!("zip {}: {message}", keys.join(", "));
        Err(ConfigError::new(ErrorKind::SweepZip, message).with_hint(hint))
    };
    let bare = |key: &str| key.trim_start_matches('+').to_owned();
    let mut places: Vec<usize> = Vec::new();
    for key in keys {
        let swept: Vec<String> = columns.iter().filter(|(_, column)| column.swept).map(|(key, _)| bare(key)).collect();
        let Some(place) = columns.keys().position(|known| known == key || bare(known) == bare(key)) else {
            let near = nearest(key, swept.iter().map(String::as_str)).map(did_you_mean);
            let first = || Some(format!("give it several values: `{key}=a,b`"));
            let hint = joined(near, listed("the keys that are swept", &swept)).or_else(first);
            return refused(format!("no override gives {key:?}"), hint);
        };
        let column = &columns[place];
        if !column.swept {
            let value = column.values.first().map(|lines| lines.join(" ")).unwrap_or_default();
            let hint = Some(format!("give it as many values as the others, separated by commas, or do not zip {key}"));
            return refused(format!("{key:?} is not swept: {value}"), hint);
        }
        places.push(place);
    }
    let Some(&first) = places.first() else {
        return refused("expected keys, got none".to_owned(), Some("name the keys that vary together".to_owned()));
    };
    let count = columns[first].values.len();
    if places.iter().any(|&place| columns[place].values.len() != count) {
        let counts: Vec<String> =
            keys.iter().zip(&places).map(|(key, &place)| format!("{key}: {}", columns[place].values.len())).collect();
        let hint = "keys that vary together need a value each for every job".to_owned();
        return refused(format!("expected equally many values, got {}", counts.join(", ")), Some(hint));
    }
    let row = |row: usize| places.iter().flat_map(|&place| columns[place].values[row].clone()).collect();
    columns[first] = Column { values: (0..count).map(row).collect(), swept: true };
    let mut places_seen = 0..;
    columns.retain(|_, _| places_seen.next().is_some_and(|place| place == first || !places.contains(&place)));
    Ok(())
}

fn values(item: &Override, value: &Element, search_path: &SearchPath, seed: u64) -> Result<Vec<String>, ConfigError> {
    let unsupported = |what: &str| {
        let message = format!("override {:?}: {what} cannot be enumerated", item.input);
        let hint = format!("name the values, `{0}=a,b,c`, or count them, `{0}=range(start,stop,step)`", item.key);
        ConfigError::new(ErrorKind::SweepUnsupported, message).with_hint(Some(hint))
    };
    match value {
        Element::Glob(glob) => matching(item, glob, search_path),
        Element::Sweep(sweep) => {
            let elements: Vec<Element> = match &sweep.kind {
                SweepKind::Choice { list, .. } => list.clone(),
                SweepKind::Range { start, stop, step } => {
                    range::numbers(start, stop, step)?.into_iter().map(Element::Scalar).collect()
                }
                SweepKind::Interval { .. } => return Err(unsupported("an interval")),
            };
            let texts: Option<Vec<String>> = elements.iter().map(element_text).collect();
            let mut texts = texts.ok_or_else(|| unsupported("a sweep inside a sweep"))?;
            if sweep.shuffle {
                shuffle(&mut texts, &item.key_element(), seed);
            }
            Ok(texts)
        }
        element => Ok(vec![element_text(element).ok_or_else(|| unsupported("a sweep inside a value"))?]),
    }
}

/// Puts values into an order that depends on the key and the seed only.
fn shuffle(values: &mut [String], key: &str, seed: u64) {
    let mut rest = values.len() as u64;
    let mut hasher = DomainHasher::new("spectramind/sweep-shuffle/v1");
    hasher.u64(seed).field(key.as_bytes());
    while rest > 1 {
        let mut draw = hasher.clone();
        let bytes = *draw.u64(rest).finish().as_bytes();
        let number = u64::from_le_bytes(bytes[..8].try_into().expect("a digest has 32 bytes"));
        rest -= 1;
        // The bias of the remainder is far below what an order of jobs could show.
        values.swap(rest as usize, (number % (rest + 1)) as usize);
    }
}

fn matching(item: &Override, glob: &Glob, search_path: &SearchPath) -> Result<Vec<String>, ConfigError> {
    let patterns = |values: &[Value]| -> Result<Vec<Vec<char>>, ConfigError> {
        let text = |value: &Value| match value {
            Value::Str(text) => Ok(text.chars().collect()),
            other => {
                let message = format!("override {:?}: expected a pattern, got {}", item.input, other.type_name());
                let hint = Some(format!("quote it, if it is one: '{}'", python::str(other)));
                Err(ConfigError::new(ErrorKind::Unsupported, message).with_hint(hint))
            }
        };
        values.iter().map(text).collect()
    };
    let (include, exclude) = (patterns(&glob.include)?, patterns(&glob.exclude)?);
    let matches = |patterns: &[Vec<char>], name: &[char]| patterns.iter().any(|pattern| glob_matches(pattern, name));
    let options = search_path.options(&item.key).into_iter();
    Ok(options
        .filter(|option| {
            let name: Vec<char> = option.chars().collect();
            matches(&include, &name) && !matches(&exclude, &name)
        })
        .collect())
}

/// Python's `fnmatch`: `*`, `?`, `[seq]`, `[!seq]`.
fn glob_matches(pattern: &[char], name: &[char]) -> bool {
    // Remembering where the last `*` stood keeps this linear in practice and quadratic at worst.
    let (mut at, mut in_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        if in_name == name.len() && pattern[at..].iter().all(|&ch| ch == '*') {
            return true;
        }
        let step = match pattern.get(at) {
            Some('*') => {
                star = Some((at + 1, in_name));
                at += 1;
                continue;
            }
            Some('?') if in_name < name.len() => Some(1),
            Some('[') if in_name < name.len() => match class(&pattern[at..]) {
                Some((length, accepts)) => accepts(name[in_name]).then_some(length),
                None => (name[in_name] == '[').then_some(1),
            },
            Some(&ch) if name.get(in_name) == Some(&ch) => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(length), _) => {
                at += length;
                in_name += 1;
            }
            (None, Some((after, from))) if from < name.len() => {
                star = Some((after, from + 1));
                (at, in_name) = (after, from + 1);
            }
            _ => return false,
        }
    }
}

/// A character class and its length in the pattern; `None` without a closing bracket.
fn class(pattern: &[char]) -> Option<(usize, impl Fn(char) -> bool + use<'_>)> {
    let negated = pattern.get(1) == Some(&'!');
    let first = if negated { 2 } else { 1 };
    // A bracket right at the start is a member, not the end.
    let search_from = first + usize::from(pattern.get(first) == Some(&']'));
    let end = search_from + pattern.get(search_from..)?.iter().position(|&ch| ch == ']')?;
    let members = &pattern[first..end];
    let accepts = move |ch: char| {
        let mut index = 0;
        let mut found = false;
        while index < members.len() {
            if index + 2 < members.len() && members[index + 1] == '-' {
                found |= (members[index]..=members[index + 2]).contains(&ch);
                index += 3;
            } else {
                found |= members[index] == ch;
                index += 1;
            }
        }
        found != negated
    };
    Some((end + 1, accepts))
}

/// Refuses sweeps where there is one run, and sweeps of Hydra's own config anywhere.
pub(super) fn refuse_sweeps(overrides: &[Override], mode: RunMode) -> Result<(), ConfigError> {
    for item in overrides.iter().filter(|item| item.is_sweep()) {
        if mode == RunMode::MultiRun {
            if item.is_hydra() {
                let message = format!("override {:?}: Hydra's own config cannot be swept over", item.input);
                let hint = "one multirun has one value of it".to_owned();
                return Err(ConfigError::new(ErrorKind::SweepUnsupported, message).with_hint(Some(hint)));
            }
            continue;
        }
        let is_simple = matches!(&item.value, Some(Element::Sweep(sweep))
            if matches!(sweep.kind, SweepKind::Choice { simple: true, .. }));
        let hint = is_simple.then(|| {
            let value = item.input.split_once('=').map_or("", |(_, value)| value);
            format!("write `{0}=[{value}]` for a list, `{0}='{value}'` for a text, or add --multirun", item.key)
        });
        let message = format!("override {:?}: a sweep needs --multirun", item.input);
        return Err(ConfigError::new(ErrorKind::SweepWithoutMultirun, message).with_hint(hint));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_in_python() {
        let matches = |pattern: &str, name: &str| {
            glob_matches(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>())
        };
        assert!(matches("b*", "base") && matches("*", "") && matches("*s*e", "base") && matches("b?se", "base"));
        assert!(
            matches("[a-c]ase", "base") && matches("[!x]ase", "base") && matches("[]]x", "]x") && matches("[", "[")
        );
        assert!(!matches("b", "base") && !matches("[!b]ase", "base") && !matches("?", ""));
    }

    #[test]
    fn the_last_sweep_varies_fastest_and_a_repeated_key_keeps_its_place() {
        let texts = ["a=1,2", "b=x", "c=range(2)", "b=1e-3"].map(str::to_owned);
        let jobs = expand(&texts, &[], &SearchPath::new(), 0).expect("legal sweeps");
        let lines: Vec<String> = jobs.iter().map(|job| job.join(" ")).collect();
        assert_eq!(lines, ["a=1 b=0.001 c=0", "a=1 b=0.001 c=1", "a=2 b=0.001 c=0", "a=2 b=0.001 c=1"]);
    }

    fn zipped(texts: &[&str], zip: &[&[&str]]) -> Result<Vec<String>, ConfigError> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let zip: Vec<Vec<String>> = zip.iter().map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()).collect();
        let jobs = expand(&texts, &zip, &SearchPath::new(), 0)?;
        Ok(jobs.into_iter().map(|job| job.join(" ")).collect())
    }

    #[test]
    fn zipped_keys_vary_together_in_the_place_of_their_first() {
        let jobs = zipped(&["a=1,2", "b=x,y", "c=range(2)", "+d=5,6"], &[&["a", "c"]]).expect("legal sweeps");
        let expected = [
            "a=1 c=0 b=x +d=5",
            "a=1 c=0 b=x +d=6",
            "a=1 c=0 b=y +d=5",
            "a=1 c=0 b=y +d=6",
            "a=2 c=1 b=x +d=5",
            "a=2 c=1 b=x +d=6",
            "a=2 c=1 b=y +d=5",
            "a=2 c=1 b=y +d=6",
        ];
        assert_eq!(jobs, expected);
        let jobs = zipped(&["a=1,2", "b=x,y", "c=3", "+d=5,6"], &[&["d", "a"]]).expect("legal sweeps");
        assert_eq!(jobs, ["b=x c=3 +d=5 a=1", "b=x c=3 +d=6 a=2", "b=y c=3 +d=5 a=1", "b=y c=3 +d=6 a=2"]);
        let two = zipped(&["a=1,2", "b=3,4", "c=5,6", "d=7,8"], &[&["a", "b"], &["c", "d"]]).expect("legal sweeps");
        assert_eq!(two, ["a=1 b=3 c=5 d=7", "a=1 b=3 c=6 d=8", "a=2 b=4 c=5 d=7", "a=2 b=4 c=6 d=8"]);
    }

    #[test]
    fn keys_that_cannot_vary_together_are_refused_with_their_counts() {
        let refused = |texts: &[&str], zip: &[&[&str]]| {
            let error = zipped(texts, zip).expect_err("an illegal zip");
            assert_eq!(error.kind(), ErrorKind::SweepZip);
            (error.to_string(), error.hint().expect("a remedy"))
        };
        let (text, _) = refused(&["a=1,2", "b=1,2,3"], &[&["a", "b"]]);
        assert_eq!(text, "zip a, b: expected equally many values, got a: 2, b: 3");
        let (text, _) = refused(&["a=1,2", "b=1"], &[&["a", "b"]]);
        assert_eq!(text, "zip a, b: \"b\" is not swept: b=1");
        let (text, hint) = refused(&["seed=1,2", "lr=1,2"], &[&["seed", "lrr"]]);
        assert_eq!(text, "zip seed, lrr: no override gives \"lrr\"");
        assert_eq!(hint, "did you mean `lr`? the keys that are swept: seed, lr");
        assert!(refused(&["a=1,2", "b=1,2"], &[&["a", "b"], &["a"]]).0.contains("named twice"));
        assert!(refused(&["a=1,2"], &[&[]]).0.contains("expected keys, got none"));
    }

    #[test]
    fn jobs_that_would_not_fit_in_memory_are_refused_before_they_are_listed() {
        let long = format!("x={}", "y".repeat(8_000));
        let many: Vec<String> = (0..400).map(|index| format!("a{index}=1")).collect();
        for others in [vec![long], many] {
            let texts: Vec<String> = others.into_iter().chain(["b=range(10000)".to_owned()]).collect();
            assert_eq!(expand(&texts, &[], &SearchPath::new(), 0).expect_err("too much").kind(), ErrorKind::Limit);
        }
        let digits = "0".repeat(1900);
        let texts = [format!("b=range(1{digits},2{digits})")];
        assert_eq!(expand(&texts, &[], &SearchPath::new(), 0).expect_err("too much").kind(), ErrorKind::Limit);
    }

    #[test]
    fn a_shuffled_sweep_has_the_order_of_its_seed() {
        let texts = ["a=shuffle(range(20))".to_owned()];
        let order = |seed| expand(&texts, &[], &SearchPath::new(), seed).expect("a legal sweep");
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }
}
