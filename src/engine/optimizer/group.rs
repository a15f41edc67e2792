//! Which parameters are trained at another pace, or not at all: `optimizer.groups`, resolved to paths.
//!
//! A parameter belongs to the first group whose pattern matches its path. Patterns are globs over the whole path: `*` is any
//! text, dots included, `?` one character, `[ab]` one of these.

use crate::failure::{Advice, FailureKind};
use std::collections::{BTreeMap, BTreeSet};

use crate::engine::settings::ParameterGroup;

/// The group of each parameter that is in one, by path.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::engine) struct Paces(BTreeMap<String, ParameterGroup>);

/// A pattern that no parameter is left for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "optimizer.groups: expected a pattern that matches a parameter that no group before it has, got {pattern}; \
     parameters: {}",
    known.join(", ")
)]
pub struct UnmatchedGroup {
    /// The pattern.
    pub pattern: String,
    /// Paths of the parameters that can be trained.
    pub known: Vec<String>,
}

impl Advice for UnmatchedGroup {
    fn hint(&self) -> Option<String> {
        Some("patterns are globs over the whole path of a parameter, such as encoder.*.weight; the first that matches counts".into())
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Usage
    }
}

impl Paces {
    /// The groups of the parameters that can be trained.
    ///
    /// # Errors
    /// When a group has no parameter.
    pub fn resolve(groups: &[ParameterGroup], trainable: &BTreeSet<String>) -> Result<Self, UnmatchedGroup> {
        let mut paces = BTreeMap::new();
        for group in groups {
            let is_of_group = |path: &&String| !paces.contains_key(*path) && matches(&group.pattern, path);
            let members: Vec<_> = trainable.iter().filter(is_of_group).cloned().collect();
            if members.is_empty() {
                let known = trainable.iter().cloned().collect();
                return Err(UnmatchedGroup { pattern: group.pattern.clone(), known });
            }
            paces.extend(members.into_iter().map(|path| (path, group.clone())));
        }
        Ok(Self(paces))
    }

    /// The group of a parameter.
    pub fn get(&self, path: &str) -> Option<&ParameterGroup> {
        self.0.get(path)
    }

    /// Paths of the parameters that are not trained.
    pub fn frozen(&self) -> BTreeSet<String> {
        self.0.iter().filter(|(_, group)| group.frozen).map(|(path, _)| path.clone()).collect()
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    // No path has a slash, so a star means any text.
    gix_glob::wildmatch(pattern.into(), path.into(), gix_glob::wildmatch::Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(pattern: &str, frozen: bool) -> ParameterGroup {
        ParameterGroup { pattern: pattern.into(), lr_factor: 0.5, weight_decay: Some(0.0), frozen }
    }

    fn known() -> BTreeSet<String> {
        ["encoder.0.weight", "encoder.0.bias", "encoder.1.norm.bias", "head.bias"].map(str::to_owned).into()
    }

    #[test]
    fn a_parameter_is_in_the_first_group_that_matches_its_whole_path() {
        let paces = Paces::resolve(&[group("encoder.*.bias", true), group("*.bias", false)], &known()).expect("match");
        let of = |path: &str| paces.get(path).map(|group| group.pattern.as_str());
        assert_eq!(of("encoder.0.bias"), Some("encoder.*.bias"));
        assert_eq!(of("encoder.1.norm.bias"), Some("encoder.*.bias"));
        assert_eq!(of("head.bias"), Some("*.bias"));
        assert_eq!(of("encoder.0.weight"), None);
        assert_eq!(paces.frozen(), ["encoder.0.bias", "encoder.1.norm.bias"].map(str::to_owned).into());
        let one = Paces::resolve(&[group("encoder.[1-9].*", false)], &known()).expect("matches");
        assert!(one.get("encoder.1.norm.bias").is_some() && one.get("encoder.0.bias").is_none());
    }

    #[test]
    fn a_pattern_that_nothing_is_left_for_is_refused_with_the_paths() {
        for (groups, wrong) in [
            (vec![group("decoder.*", false)], "decoder.*"),
            (vec![group("bias", false)], "bias"),
            (vec![group("*", false), group("head.bias", false)], "head.bias"),
        ] {
            let error = Paces::resolve(&groups, &known()).expect_err("refused").to_string();
            let known = "encoder.0.bias, encoder.0.weight, encoder.1.norm.bias, head.bias";
            assert!(error.contains(&format!("got {wrong};")) && error.ends_with(known), "{error}");
        }
    }
}
