//! Silent traps in config files: what Hydra accepts without a word and a person hardly meant.
//!
//! A lint never changes what is composed, and is not one of Hydra's own warnings ([`super::Config::warnings`]). Each rule
//! is made to keep quiet where the text can well be meant as it stands.

use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;

use super::error::{Location, did_you_mean, nearest};
use super::origin::Origin;
use super::python;
use super::source::{LoadedConfig, is_header_line};
use super::value::{Key, Value};
use super::yaml::{self, Data, Mark, WrittenScalar};

/// A silent trap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    /// Where it stands.
    pub location: Location,
    /// What happens, and what was probably meant to happen.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.message)
    }
}

/// A config that took part in a composition.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) loaded: Rc<LoadedConfig>,
    /// Where it landed.
    pub(super) package: String,
    pub(super) is_primary: bool,
}

/// The traps in all files, file by file in the order of composition.
pub(super) fn lints(parts: &[Part]) -> Vec<Lint> {
    let mut seen = BTreeSet::new();
    let mut lints = Vec::new();
    for part in parts {
        let Some(file) = &part.loaded.file else { continue };
        let mut of_file = Vec::new();
        if seen.insert(file) {
            File { name: file, loaded: &part.loaded, lints: &mut of_file }.all();
        }
        of_file.extend(repeated_group(part, file));
        of_file.sort_by_key(|lint| (lint.location.line, lint.location.column));
        lints.append(&mut of_file);
    }
    lints.dedup();
    lints
}

/// A file whose only key is the group it lies in: `trainer:` in `trainer/fast.yaml` lands at `trainer.trainer`.
fn repeated_group(part: &Part, file: &str) -> Option<Lint> {
    let Data::Map(map) = &part.loaded.body.data else { return None };
    let mut keys = map.iter();
    let (Some((Key::Str(key), value)), None) = (keys.next(), keys.next()) else { return None };
    let mut levels = part.package.split('.').filter(|level| !level.is_empty());
    let (first, last) = (levels.next()?, levels.next_back());
    let repeats = key == first || Some(key.as_str()) == last;
    if part.is_primary || !repeats || !matches!(value.data, Data::Map(_)) {
        return None;
    }
    Some(Lint {
        location: Location { file: file.to_owned(), ..yaml::place(value.mark) },
        message: format!("the file repeats its group: all of it lands at {}.{key}", part.package),
        hint: format!("remove the level {key:?}, or add `# @package _global_` at the top of the file"),
    })
}

/// One file under examination.
struct File<'a> {
    name: &'a str,
    loaded: &'a LoadedConfig,
    lints: &'a mut Vec<Lint>,
}

impl File<'_> {
    fn all(mut self) {
        self.headers();
        self.words_before_groups();
        self.mistyped_defaults();
        self.scalars();
    }

    fn add(&mut self, location: Location, message: String, hint: String) {
        let location = Location { file: self.name.to_owned(), ..location };
        self.lints.push(Lint { location, message, hint });
    }

    fn add_at(&mut self, mark: Mark, message: String, hint: String) {
        self.add(yaml::place(mark), message, hint);
    }

    /// A package header that Hydra does not read, because of where it stands or how it is spelt.
    fn headers(&mut self) {
        // Hydra reads so many characters of a file to find its header.
        const HEAD: usize = 512;
        let (mut before, mut in_header, mut stopped_by) = (0, true, None);
        for (index, line) in self.loaded.text.lines().enumerate() {
            let location = Location { file: String::new(), line: index + 1, column: 1 };
            let (start, trimmed) = (before, line.trim());
            before += line.chars().count() + 1;
            if trimmed.is_empty() {
                continue;
            }
            if in_header && is_header_line(trimmed) && start < HEAD {
                let word = trimmed.trim_start_matches('#').split_whitespace().next().unwrap_or("");
                let looks_meant = nearest(word.trim_end_matches(':'), ["@package"]).is_some() || word == "@package:";
                if looks_meant && word != "@package" {
                    let hint = did_you_mean(trimmed.replacen(word, "@package", 1));
                    self.add(location, format!("{word:?} is no header that Hydra knows: the package is not set"), hint);
                }
                continue;
            }
            in_header = false;
            let Some(package) = ignored_header(line) else {
                stopped_by.get_or_insert(index + 1);
                continue;
            };
            let why = match stopped_by {
                None if start >= HEAD => format!("it stands behind the first {HEAD} characters"),
                None => "it is not of the form `# @package NAME`".to_owned(),
                Some(line) => format!("line {line} stands before it"),
            };
            let hint = format!("make `# @package {package}` the first line of the file");
            self.add(location, format!("this package header has no effect: {why}"), hint);
        }
    }

    /// `- overide /db: x`: what is no keyword before a group is dropped without a word.
    fn words_before_groups(&mut self) {
        let Ok(entries) = &self.loaded.defaults else { return };
        for entry in entries {
            if let (Some(word), Some(hint), Origin::File(location)) =
                (&entry.stray_word, entry.stray_word_hint(), &entry.origin)
            {
                let message = format!("Hydra ignores the word {word:?} before the group");
                self.add(location.clone(), message, hint);
            }
        }
    }

    /// `default:` at the top, over what looks like a defaults list.
    fn mistyped_defaults(&mut self) {
        let Data::Map(map) = &self.loaded.body.data else { return };
        if !self.loaded.defaults.as_ref().is_ok_and(Vec::is_empty) {
            return;
        }
        for (key, value) in map {
            let Some(key) = key.as_str() else { continue };
            if nearest(key, ["defaults"]).is_some() && looks_like_a_defaults_list(&value.data) {
                let message = format!("{key:?} is an ordinary key, and what it lists is not composed");
                self.add_at(value.mark, message, did_you_mean("defaults:"));
            }
        }
    }

    /// Plain scalars of another type than a person would think.
    fn scalars(&mut self) {
        let Ok(written) = yaml::written_scalars(&self.loaded.text) else { return };
        let with_texts = written.iter().filter(|scalar| scalar.is_text()).filter_map(|scalar| scalar.list).collect();
        for scalar in written.iter().filter(|scalar| scalar.is_plain) {
            if let Some((message, hint)) = trap_of(scalar, &with_texts) {
                self.add_at(scalar.mark, message, hint);
            }
        }
    }
}

/// The package in a line that has the words of a header.
fn ignored_header(line: &str) -> Option<&str> {
    let words = line.trim_start().strip_prefix('#')?.trim_start_matches('#');
    let mut words = words.split_whitespace();
    let (Some("@package"), Some(package), None) = (words.next(), words.next(), words.next()) else { return None };
    Some(package)
}

fn looks_like_a_defaults_list(data: &Data) -> bool {
    let Data::List(items) = data else { return false };
    let is_group = |data: &Data| {
        matches!(data, Data::Map(map) if map.len() == 1
            && map.values().all(|option| matches!(option.data, Data::Scalar(Value::Str(_) | Value::Null))))
    };
    let is_self = |data: &Data| matches!(data, Data::Scalar(Value::Str(text)) if text == "_self_");
    let is_config = |data: &Data| matches!(data, Data::Scalar(Value::Str(_)));
    items.iter().all(|item| is_group(&item.data) || is_config(&item.data))
        && items.iter().any(|item| is_group(&item.data) || is_self(&item.data))
}

/// What is wrong with a plain scalar, and what to write instead; `with_texts` are the lists that hold texts.
fn trap_of(scalar: &WrittenScalar, with_texts: &BTreeSet<usize>) -> Option<(String, String)> {
    let text = &scalar.text;
    let quoted = format!("'{text}'");
    if scalar.is_bool() && text.parse::<bool>().is_err() && !text.eq_ignore_ascii_case("true") {
        let is_word = ["yes", "no", "on", "off"].iter().any(|word| text.eq_ignore_ascii_case(word));
        let value = matches!(text.to_ascii_lowercase().as_str(), "yes" | "on");
        return if !is_word {
            None
        } else if scalar.is_key {
            Some((format!("the key {text} is the boolean {value}, not a text"), format!("write `{quoted}:`")))
        } else if scalar.list.is_some_and(|list| with_texts.contains(&list)) {
            let hint = format!("write `{quoted}` for the text");
            Some((format!("{text} among texts is the boolean {value}"), hint))
        } else {
            None
        };
    }
    if scalar.is_key || scalar.in_defaults {
        return None;
    }
    if scalar.is_number() && text.contains(':') {
        let number = yaml::load_any(text).ok()?.to_value();
        let hint = format!("write `{quoted}` for a text, `{number}` for the number");
        return Some((format!("{text} is the number {number}: YAML 1.1 counts with colons in base 60"), hint));
    }
    if !scalar.is_text() {
        return None;
    }
    let meant = number_meant(text)?;
    Some((
        format!("{text} is a text by the rules of YAML 1.1, not a number"),
        format!("write `{meant}` for the number, or `{quoted}` for the text"),
    ))
}

/// The number that a text was clearly meant to be, as YAML 1.1 writes it.
fn number_meant(text: &str) -> Option<String> {
    let yaml_text = |value: &Value| {
        let text = super::to_yaml(&Value::List(vec![value.clone()]));
        text.trim_start_matches("- ").trim_end().to_owned()
    };
    if !text.is_ascii() || text.contains('_') {
        return None;
    }
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (&text[..1], digits),
        None => ("", text),
    };
    let radix = [("0o", 8), ("0O", 8), ("0X", 16), ("0B", 2)].into_iter();
    let other_radix = radix.filter_map(|(prefix, radix)| Some((digits.strip_prefix(prefix)?, radix))).next();
    if let Some((digits, radix)) = other_radix {
        let number = i64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with(['+', '-']))?;
        return Some(yaml_text(&Value::Int(if sign == "-" { -number } else { number })));
    }
    let groups: Vec<&str> = digits.split(',').collect();
    let has_thousands = groups.len() > 1
        && (1..=3).contains(&groups[0].len())
        && groups[1..].iter().all(|group| group.len() == 3)
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_digit()));
    let plain = if has_thousands { format!("{sign}{}", groups.concat()) } else { text.to_owned() };
    let is_word = !digits.starts_with(|ch: char| ch.is_ascii_digit() || ch == '.');
    // Words that are numbers in Python; longer or capitalized ones are names more often than not.
    if is_word && !matches!(digits, "inf" | "nan") {
        return None;
    }
    let number = python::parse_int(&plain).or_else(|| python::parse_float(&plain).map(Value::Float))?;
    Some(yaml_text(&number))
}

#[cfg(test)]
mod tests {

    use crate::{Composer, Config, SearchPath};

    fn config(files: &[(&str, &str)]) -> Config {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let composer = Composer::new(SearchPath::new().memory("main", files));
        composer.compose("train", &[""; 0]).expect("Hydra accepts it")
    }

    /// The lints of one file that is its own config, with their hints.
    fn lints_of(text: &str) -> Vec<String> {
        let config = config(&[("train.yaml", text), ("db/a.yaml", "x: 1\n"), ("db/b.yaml", "x: 2\n")]);
        config.lints().iter().map(|lint| format!("{lint} [{}]", lint.hint)).collect()
    }

    #[test]
    fn a_header_that_has_no_effect_is_named_with_the_reason() {
        assert_eq!(
            lints_of("# about\n\n# @package _global_\nx: 1\n"),
            ["train.yaml:3:1: this package header has no effect: line 1 stands before it \
              [make `# @package _global_` the first line of the file]"]
        );
        assert!(lints_of("x: 1\n# @package a\n")[0].contains("line 1 stands before it"));
        assert!(lints_of("---\n# @package a\nx: 1\n")[0].contains("line 1 stands before it"));
        assert!(lints_of("## @package a\nx: 1\n")[0].contains("it is not of the form"));
        let far = format!("{}# @package a\nx: 1\n", "\n".repeat(600));
        assert!(lints_of(&far)[0].contains("first 512 characters"));
        for fine in ["# @package a\n# about\nx: 1\n", "#@package a\nx: 1\n", "# the @package header\nx: 1\n"] {
            assert_eq!(lints_of(fine), [""; 0], "{fine}");
        }
    }

    #[test]
    fn a_misspelt_header_is_named_with_the_right_spelling() {
        assert_eq!(
            lints_of("# @pakage a\nx: 1\n"),
            ["train.yaml:1:1: \"@pakage\" is no header that Hydra knows: the package is not set \
              [did you mean `# @package a`?]"]
        );
        assert_eq!(lints_of("# @Package a\nx: 1\n").len(), 1);
        assert_eq!(lints_of("# @package: a\nx: 1\n").len(), 1);
        assert_eq!(lints_of("# @author somebody\nx: 1\n"), [""; 0]);
    }

    #[test]
    fn a_word_before_a_group_that_hydra_drops_is_named() {
        assert_eq!(
            lints_of("defaults:\n  - optinal db: a\n  - _self_\n"),
            ["train.yaml:2:5: Hydra ignores the word \"optinal\" before the group \
              [\"optinal\" means nothing here; did you mean `optional`?]"]
        );
        assert_eq!(lints_of("defaults:\n  - optional db: a\n  - override  db: b\n  - _self_\n"), [""; 0]);
    }

    #[test]
    fn a_mistyped_defaults_list_is_named() {
        assert_eq!(
            lints_of("default:\n  - db: a\n  - _self_\n"),
            ["train.yaml:1:1: \"default\" is an ordinary key, and what it lists is not composed \
              [did you mean `defaults:`?]"]
        );
        for fine in ["default: [a, b]\n", "default: {db: a}\n", "defaults: [db: a, _self_]\ndefault: [_self_]\n"] {
            assert_eq!(lints_of(fine), [""; 0], "{fine}");
        }
    }

    #[test]
    fn texts_that_were_meant_as_numbers_are_named_with_the_number() {
        for (text, number) in [
            ("-.5", "-0.5"),
            ("+.5", "0.5"),
            (".5e3", "500.0"),
            ("0o17", "15"),
            ("0X1F", "31"),
            ("08", "8"),
            ("-09", "-9"),
            ("1,000", "1000"),
            ("inf", ".inf"),
            ("-inf", "-.inf"),
            ("nan", ".nan"),
        ] {
            let lints = lints_of(&format!("a: {text}\n"));
            assert_eq!(
                lints,
                [format!(
                    "train.yaml:1:4: {text} is a text by the rules of YAML 1.1, not a number \
                     [write `{number}` for the number, or `'{text}'` for the text]"
                )]
            );
        }
        for fine in ["'08'", "1_000_", "1e-", "1e5x", "v1.2", "1.2.3", "NaN", "Infinity", "017", "1,2", "x08"] {
            assert_eq!(lints_of(&format!("a: {fine}\n")), [""; 0], "{fine}");
        }
    }

    #[test]
    fn times_and_words_that_yaml_turns_into_something_else_are_named() {
        assert_eq!(
            lints_of("max_time: 9:00:00\n"),
            ["train.yaml:1:11: 9:00:00 is the number 32400: YAML 1.1 counts with colons in base 60 \
              [write `'9:00:00'` for a text, `32400` for the number]"]
        );
        assert_eq!(
            lints_of("on: push\n"),
            ["train.yaml:1:1: the key on is the boolean true, not a text [write `'on':`]"]
        );
        assert_eq!(
            lints_of("countries: [se, no, dk]\n"),
            ["train.yaml:1:17: no among texts is the boolean false [write `'no'` for the text]"]
        );
        for fine in ["a: yes\n", "a: [on, off]\n", "true: 1\n", "a: '9:00'\n", "a: 80:80\n", "y: 1\n"] {
            assert_eq!(lints_of(fine), [""; 0], "{fine}");
        }
    }

    #[test]
    fn a_file_that_repeats_its_group_is_named() {
        let tree = |text: &'static str| {
            config(&[("train.yaml", "defaults: [trainer: fast, _self_]\n"), ("trainer/fast.yaml", text)])
        };
        let lints = tree("trainer:\n  max_epochs: 3\n").lints().to_vec();
        assert_eq!(lints.len(), 1);
        assert_eq!(
            lints[0].to_string(),
            "trainer/fast.yaml:1:1: the file repeats its group: all of it lands at trainer.trainer"
        );
        assert_eq!(lints[0].hint, "remove the level \"trainer\", or add `# @package _global_` at the top of the file");
        assert_eq!(tree("# @package _global_\ntrainer:\n  max_epochs: 3\n").lints(), []);
        assert_eq!(tree("name: x\ntrainer:\n  max_epochs: 3\n").lints(), []);
        assert_eq!(tree("trainer: fast\n").lints(), []);
    }
}
