//! Why a key has the value it has.

use super::composed::Config;
use super::error::{ConfigError, ErrorKind, nearest};
use super::origin::KeyOrigin;
use super::value::Value;

/// A key of a composed config: what it is, what set it, and what lost.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The value as composed.
    pub value: Value,
    /// What it resolves to, or why it does not; `None` for a value without interpolations, and for `???`.
    pub resolved: Option<Result<Value, ConfigError>>,
    /// What set it, and the values that lost, first to last.
    pub origin: KeyOrigin,
}

impl Config {
    /// Explains a key, by its path as in `trainer.precision` or `data.files[0]`; keys of Hydra's own node begin with
    /// `hydra.`.
    ///
    /// # Errors
    /// [`ErrorKind::KeyNotInStruct`] for a key that does not exist, with the nearest ones as its hint.
    pub fn explain(&self, path: &str) -> Result<Explanation, ConfigError> {
        let (Some(value), Some(origin)) = (self.node(path), self.node_origin(path)) else {
            let nearest = self.nearest_keys(path);
            let hint = (!nearest.is_empty()).then(|| format!("did you mean {}?", nearest.join(", ")));
            let message = format!("key {path:?} is not in the config");
            return Err(ConfigError::new(ErrorKind::KeyNotInStruct, message).with_hint(hint));
        };
        let resolved = self.select_resolved(path).transpose().filter(|resolved| resolved.as_ref().ok() != Some(&value));
        Ok(Explanation { value, resolved, origin })
    }

    /// The keys that a mistyped path may have meant, best first, three at most: those with its last part, and the
    /// one whose whole path is nearest.
    pub fn nearest_keys(&self, path: &str) -> Vec<String> {
        fn last(path: &str) -> &str {
            path.rsplit('.').next().unwrap_or(path)
        }
        let hydra = if path.starts_with("hydra") { self.hydra_paths() } else { Vec::new() };
        let task = self.origins().map(|(path, _)| path).filter(|_| hydra.is_empty());
        let all: Vec<&str> = task.chain(hydra.iter().map(String::as_str)).collect();
        let same_name = all.iter().copied().filter(|known| last(known) == last(path));
        let similar_name = nearest(last(path), all.iter().map(|known| last(known)));
        let similar = all.iter().copied().filter(|known| Some(last(known)) == similar_name);
        let mut found: Vec<String> = Vec::new();
        for candidate in nearest(path, all.iter().copied()).into_iter().chain(same_name).chain(similar) {
            if candidate != path && !found.iter().any(|known| known == candidate) {
                found.push(candidate.to_owned());
            }
        }
        found.truncate(3);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Composer, SearchPath};

    fn config(overrides: &[&str]) -> Config {
        let files = [
            ("train.yaml", "defaults:\n  - trainer: fast\n  - _self_\nroot: data\nfile: ${root}/x\n"),
            ("trainer/fast.yaml", "defaults: [base]\nlr: 2\n"),
            ("trainer/base.yaml", "lr: 1\nmax_epochs: 5\n"),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
        Composer::new(SearchPath::new().memory("main", files)).compose("train", overrides).expect("a legal config")
    }

    #[test]
    fn a_key_is_explained_by_what_set_it_and_all_that_lost() {
        let explained = config(&["trainer.lr=3"]).explain("trainer.lr").expect("a key");
        assert!(explained.value == Value::Int(3) && explained.resolved.is_none());
        assert_eq!(explained.origin.origin.to_string(), "override trainer.lr=3");
        let lost: Vec<String> =
            explained.origin.overridden.iter().map(|lost| format!("{} {}", lost.value, lost.origin)).collect();
        assert_eq!(lost, ["1 trainer/base.yaml:1:1", "2 trainer/fast.yaml:2:1"]);
    }

    #[test]
    fn an_interpolation_is_explained_with_what_it_resolves_to() {
        let explained = config(&[]).explain("file").expect("a key");
        assert_eq!(explained.value, Value::from("${root}/x"));
        assert_eq!(explained.resolved.expect("it has an interpolation").expect("it resolves"), Value::from("data/x"));
    }

    #[test]
    fn a_key_whose_interpolation_fails_is_explained_all_the_same() {
        let explained = config(&["trainer.lr=${nope}"]).explain("trainer.lr").expect("a key");
        let error = explained.resolved.expect("it has an interpolation").expect_err("it fails");
        assert_eq!(error.kind(), ErrorKind::InterpKey);
        assert_eq!(explained.origin.overridden.len(), 2);
    }

    #[test]
    fn an_item_of_a_list_is_explained() {
        let explained = config(&["+a=[1,{b: 2}]"]).explain("a[1].b").expect("a key");
        assert_eq!(explained.value, Value::Int(2));
        assert_eq!(config(&["+a=[1,2]"]).explain("a.0").expect("a key").value, Value::Int(1));
    }

    #[test]
    fn a_key_of_hydra_is_explained_too() {
        let explained = config(&["hydra.run.dir=out"]).explain("hydra.run.dir").expect("a key");
        assert_eq!(explained.origin.origin.to_string(), "override hydra.run.dir=out");
        assert_eq!(config(&[]).nearest_keys("hydra.run.dirr")[0], "hydra.run.dir");
    }

    #[test]
    fn a_key_that_does_not_exist_names_the_nearest() {
        let error = config(&[]).explain("max_epoch").expect_err("no key");
        assert_eq!(error.to_string(), "key \"max_epoch\" is not in the config");
        assert_eq!(error.hint().as_deref(), Some("did you mean trainer.max_epochs?"));
        assert_eq!(config(&[]).nearest_keys("lr"), ["trainer.lr"]);
        assert!(config(&[]).nearest_keys("optimizer").is_empty());
    }
}
