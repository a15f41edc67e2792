//! Multiruns: which jobs a set of overrides with sweeps comes to, in Hydra's order.
//!
//! Every override is written anew (`b=1e-3` becomes `b=0.001`); a repeated key keeps its first place and its last
//! value; the last sweep varies fastest. Shuffled sweeps get an order that depends on a given seed only.

use super::compose::RunMode;
use super::composed::Config;
use super::error::{ConfigError, ErrorKind};
use super::limits::{MAX_JOBS, MAX_JOBS_BYTES};
use super::overrides::{self, Element, Glob, Override, SweepKind, element_text, range};
use super::python;
use super::source::SearchPath;
use super::value::Value;
use crate::digest::DomainHasher;

/// The frame of a multirun and its jobs.
#[derive(Debug, Clone)]
pub struct Sweep {
    frame: Config,
    jobs: Vec<Vec<String>>,
    shuffled: bool,
}

impl Sweep {
    pub(super) fn of_frame(frame: Config, search_path: &SearchPath, seed: u64) -> Result<Self, ConfigError> {
        let mut texts = Vec::new();
        let params = match frame.hydra_value("sweeper.params") {
            // A sweeper need not have params.
            Err(error) if error.kind() == ErrorKind::InterpKey => Value::Null,
            params => params?,
        };
        if let Value::Map(params) = &params {
            texts.extend(params.iter().map(|(key, value)| format!("{key}={}", python::str(value))));
        }
        texts.extend_from_slice(frame.overrides());
        let (jobs, shuffled) = expand(&texts, search_path, seed)?;
        Ok(Self { frame, jobs, shuffled })
    }

    /// The config of the multirun itself: its `hydra` node counts for all jobs.
    pub fn frame(&self) -> &Config {
        &self.frame
    }

    /// The task overrides of each job.
    pub fn jobs(&self) -> &[Vec<String>] {
        &self.jobs
    }

    /// Whether a sweep is shuffled, so that the order is a matter of the seed.
    pub fn is_shuffled(&self) -> bool {
        self.shuffled
    }
}

/// Lists the jobs of overrides; also whether a sweep among them is shuffled.
fn expand(texts: &[String], search_path: &SearchPath, seed: u64) -> Result<(Vec<Vec<String>>, bool), ConfigError> {
    let parsed: Vec<Override> = texts.iter().map(|text| overrides::parse(text)).collect::<Result<_, _>>()?;
    let mut shuffled = false;
    let mut columns: indexmap::IndexMap<String, Vec<String>> = indexmap::IndexMap::new();
    for item in &parsed {
        let key = item.key_element();
        let values = match &item.value {
            None => vec!["null".to_owned()],
            Some(value) => {
                shuffled |= matches!(value, Element::Sweep(sweep) if sweep.shuffle);
                values(item, value, search_path, seed)?
            }
        };
        let column = values.into_iter().map(|value| format!("{key}={value}")).collect();
        columns.insert(key, column);
    }
    let count = columns.values().try_fold(1_usize, |count, column| count.checked_mul(column.len()));
    if count.is_none_or(|count| count > MAX_JOBS) {
        return Err(ConfigError::new(ErrorKind::Limit, format!("expected at most {MAX_JOBS} jobs")));
    }
    let count = count.unwrap_or(0);
    // Each line of a column stands in the same number of jobs.
    let bytes = columns.values().filter(|column| !column.is_empty()).map(|column| {
        let lines: usize = column.iter().map(|line| line.len() + size_of::<String>()).sum();
        lines.saturating_mul(count / column.len())
    });
    if bytes.fold(0, usize::saturating_add) > MAX_JOBS_BYTES {
        let message = format!("expected the overrides of all {count} jobs to take at most {MAX_JOBS_BYTES} bytes");
        return Err(ConfigError::new(ErrorKind::Limit, message));
    }
    let jobs = (0..count).map(|job| {
        // The last sweep varies fastest: columns are the digits of the job's number.
        let mut jobs_per_line = count;
        let line = |column: &Vec<String>| {
            jobs_per_line /= column.len();
            column[job / jobs_per_line % column.len()].clone()
        };
        columns.values().map(line).collect()
    });
    Ok((jobs.collect(), shuffled))
}

fn values(item: &Override, value: &Element, search_path: &SearchPath, seed: u64) -> Result<Vec<String>, ConfigError> {
    let unsupported = |what: &str| {
        let message = format!("override {:?}: {what} cannot be enumerated", item.input);
        ConfigError::new(ErrorKind::SweepUnsupported, message)
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
                Err(ConfigError::new(ErrorKind::Unsupported, message))
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
                return Err(ConfigError::new(ErrorKind::SweepUnsupported, message));
            }
            continue;
        }
        let is_simple = matches!(&item.value, Some(Element::Sweep(sweep))
            if matches!(sweep.kind, SweepKind::Choice { simple: true, .. }));
        let hint = is_simple.then(|| {
            let value = item.input.split_once('=').map_or("", |(_, value)| value);
            format!("{}=[{value}] for a list, {}='{value}' for a text, or --multirun", item.key, item.key)
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
        let (jobs, shuffled) = expand(&texts, &SearchPath::new(), 0).expect("legal sweeps");
        let lines: Vec<String> = jobs.iter().map(|job| job.join(" ")).collect();
        assert_eq!(lines, ["a=1 b=0.001 c=0", "a=1 b=0.001 c=1", "a=2 b=0.001 c=0", "a=2 b=0.001 c=1"]);
        assert!(!shuffled);
    }

    #[test]
    fn jobs_that_would_not_fit_in_memory_are_refused_before_they_are_listed() {
        let long = format!("x={}", "y".repeat(8_000));
        let many: Vec<String> = (0..400).map(|index| format!("a{index}=1")).collect();
        for others in [vec![long], many] {
            let texts: Vec<String> = others.into_iter().chain(["b=range(10000)".to_owned()]).collect();
            assert_eq!(expand(&texts, &SearchPath::new(), 0).expect_err("too much").kind(), ErrorKind::Limit);
        }
        let digits = "0".repeat(1900);
        let texts = [format!("b=range(1{digits},2{digits})")];
        assert_eq!(expand(&texts, &SearchPath::new(), 0).expect_err("too much").kind(), ErrorKind::Limit);
    }

    #[test]
    fn a_shuffled_sweep_has_the_order_of_its_seed() {
        let texts = ["a=shuffle(range(20))".to_owned()];
        let order = |seed| expand(&texts, &SearchPath::new(), seed).expect("a legal sweep").0;
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }
}
