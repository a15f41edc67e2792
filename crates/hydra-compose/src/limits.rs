//! The limits a configuration must keep, each with the attack it stops.
//!
//! A config may come from a stranger (an auditor re-composes what a run claims), so reading one must cost bounded
//! time and memory. All limits are far above what a real tree uses.

/// Bytes of one YAML file: stops a file that exhausts memory when it becomes a tree.
pub const MAX_FILE_BYTES: u64 = 4 << 20;

/// Nesting of one YAML file, override, interpolation or composed config, and half that of a config while it is being
/// composed: stops `[[[[…` and `+a.a.a.a.…=1` from overflowing the stack.
pub const MAX_DEPTH: usize = 100;

/// Bytes of one override, or of one text with interpolations: stops `${a}${a}…`, which parses to a hundred times its
/// size.
pub const MAX_EXPRESSION_BYTES: usize = 1 << 20;

/// Nodes of one YAML file after aliases and merge keys are expanded: stops the "billion laughs" document. Its texts,
/// expanded too, are held to [`MAX_FILE_BYTES`]: stops a long text that many aliases name.
pub const MAX_FILE_NODES: usize = 200_000;

/// Decimal digits of one integer, as in Python: stops numbers that take quadratic time to write.
pub const MAX_INTEGER_DIGITS: usize = 4300;

/// Configs in one composition, counted as often as they are included: stops defaults lists that double at each
/// level.
pub const MAX_CONFIGS: usize = 5_000;

/// Nesting of defaults lists: turns configs that include each other, and long chains of them, into an error instead
/// of a stack overflow.
pub const MAX_DEFAULTS_DEPTH: usize = 100;

/// Nodes made while composing or resolving: stops a tree that grows by copying itself through interpolations.
pub const MAX_TREE_NODES: usize = 400_000;

/// Values resolved or copied, an interpolation counting as twenty and a byte that a resolver parses as one: stops
/// `a: ${b}${b}`, `b: ${c}${c}`, …, `z: ''`, which takes for ever to make nothing.
pub const MAX_VALUES: usize = 500_000;

/// Interpolations that wait for one another: stops long chains (`a: ${b}`, `b: ${c}`, …) from overflowing the stack.
pub const MAX_INTERPOLATION_DEPTH: usize = 200;

/// Bytes of all texts of one config, those included that interpolations make, copy or parse: stops `a: ${b}${b}`,
/// `b: ${c}${c}`, … from doubling without end, and one long text that many keys name.
pub const MAX_TEXT_BYTES: usize = 8 << 20;

/// Jobs of one multirun, and values of one sweep: stops `range(0, 1e18)`.
pub const MAX_JOBS: usize = 10_000;

/// Memory for the overrides of all jobs of one multirun, in bytes: stops few jobs too many of many overrides each.
pub const MAX_JOBS_BYTES: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Composer, ConfigError, ErrorKind, SearchPath};

    fn composer(files: Vec<(String, String)>) -> Composer {
        Composer::new(SearchPath::new().memory("main", files.into_iter().collect()))
    }

    /// Composes and resolves one file under an override.
    fn outcome(text: String, overrides: &[String]) -> Result<(), ConfigError> {
        let composer = composer(vec![("train.yaml".to_owned(), text)]);
        composer.compose("train", overrides)?.resolve().map(|_| ())
    }

    fn assert_limit(outcome: Result<(), ConfigError>, number: impl std::fmt::Display) {
        let error = outcome.expect_err("the attack is refused");
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
        assert!(error.message().contains(&number.to_string()), "{number} is not named: {error}");
    }

    #[test]
    fn a_huge_file_is_refused_before_it_becomes_a_tree() {
        let huge = format!("a: {}\n", "x".repeat(MAX_FILE_BYTES as usize));
        assert_limit(outcome(huge.clone(), &[]), MAX_FILE_BYTES);
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(directory.path().join("train.yaml"), huge).expect("a new file");
        let composer = Composer::new(SearchPath::of_directory(directory.path()));
        assert_limit(composer.compose("train", &[""; 0]).map(|_| ()), MAX_FILE_BYTES);
    }

    #[test]
    fn deep_nesting_is_refused_wherever_it_can_be_written() {
        for open in ["[", "{a: ", "- ", "? "] {
            assert_limit(outcome(format!("a:\n  {}", open.repeat(20_000)), &[]), MAX_DEPTH);
        }
        for value in ["[".repeat(20_000), "{a:".repeat(20_000), "int(".repeat(20_000)] {
            assert_limit(outcome("a: 1\n".to_owned(), &[format!("a={value}")]), MAX_DEPTH);
        }
        for text in ["${".repeat(20_000), format!("${{oc.decode:{}", "[".repeat(20_000))] {
            assert_limit(outcome(format!("a: \"{text}\"\n"), &[]), MAX_DEPTH);
        }
        let path = format!("+{}=1", vec!["a"; 20_000].join("."));
        assert_limit(outcome("a: 1\n".to_owned(), &[path]), 2 * MAX_DEPTH);
    }

    #[test]
    fn aliases_that_double_are_refused_while_they_are_expanded() {
        let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        let mut merges = String::from("a0: &a0 {x0: 1}\n");
        for level in 1..30 {
            let before = vec![format!("*a{}", level - 1); 10].join(", ");
            laughs.push_str(&format!("a{level}: &a{level} [{before}]\n"));
            merges.push_str(&format!("a{level}: &a{level} {{<<: [{before}]}}\n"));
        }
        assert_limit(outcome(laughs, &[]), MAX_FILE_NODES);
        assert_limit(outcome(merges, &[]), MAX_FILE_NODES);
    }

    #[test]
    fn defaults_lists_that_double_or_go_on_for_ever_are_refused() {
        let mut doubling = vec![("train.yaml".to_owned(), "defaults: [l0/a, l0/b]\n".to_owned())];
        for level in 0..20 {
            for name in ["a", "b"] {
                let text = format!("defaults: [/l{0}/a, /l{0}/b]\n", level + 1);
                doubling.push((format!("l{level}/{name}.yaml"), text));
            }
        }
        doubling.extend(["a", "b"].map(|name| (format!("l20/{name}.yaml"), String::new())));
        assert_limit(composer(doubling).compose("train", &[""; 0]).map(|_| ()), MAX_CONFIGS);
        let chain = (0..MAX_DEFAULTS_DEPTH + 10)
            .map(|level| (format!("c{level}.yaml"), format!("defaults: [c{}]\n", level + 1)));
        assert_limit(composer(chain.collect()).compose("c0", &[""; 0]).map(|_| ()), MAX_DEFAULTS_DEPTH);
    }

    #[test]
    fn a_tree_that_copies_itself_is_refused_while_it_grows() {
        let mut copying = String::from("m0: {x: 1, y: 2}\n");
        let mut opening = String::new();
        for level in 1..40 {
            copying.push_str(&format!("m{level}: {{x: '${{m{0}}}', y: '${{m{0}}}'}}\n", level - 1));
            opening.push_str(&format!("m{level}: {{x: {{z: 1}}, y: {{z: 1}}}}\n"));
        }
        assert_limit(outcome(copying.clone(), &[]), MAX_VALUES);
        // A map merged onto an interpolation merges onto a copy of what that leads to.
        let files =
            [("train", "defaults: [copying, opening]\n".to_owned()), ("copying", copying), ("opening", opening)];
        let files = files.map(|(name, text)| (format!("{name}.yaml"), text));
        assert_limit(composer(files.into()).compose("train", &[""; 0]).map(|_| ()), MAX_TREE_NODES);
    }

    #[test]
    fn a_long_chain_of_interpolations_is_refused() {
        let mut chain: String = (0..5_000).map(|at| format!("k{at}: ${{k{}}}\n", at + 1)).collect();
        chain.push_str("k5000: 1\n");
        assert_limit(outcome(chain, &[]), MAX_INTERPOLATION_DEPTH);
        let nested: String = (0..5_000).map(|at| format!("k{at}: {{x: '${{k{}}}'}}\n", at + 1)).collect();
        assert_limit(outcome(nested + "k5000: 1\n", &[]), MAX_DEPTH);
    }

    #[test]
    fn texts_that_double_are_refused_while_they_grow() {
        let mut doubling = String::from("t0: xxxxxxxxxxxxxxxx\n");
        for level in 1..40 {
            doubling.push_str(&format!("t{level}: ${{t{0}}}${{t{0}}}\n", level - 1));
        }
        assert_limit(outcome(doubling, &[]), MAX_TEXT_BYTES);
    }

    #[test]
    fn sweeps_without_end_are_refused_before_they_are_listed() {
        let composer = composer(vec![("train.yaml".to_owned(), "a: 1\nb: 1\nc: 1\n".to_owned())]);
        let jobs = |overrides: &[&str]| composer.sweep("train", overrides).map(|_| ());
        assert_limit(jobs(&["a=range(1000000000000)"]), MAX_JOBS);
        assert_limit(jobs(&["a=range(0.0,1e18,0.1)"]), MAX_JOBS);
        assert_limit(jobs(&["a=range(1000)", "b=range(1000)", "c=1,2"]), MAX_JOBS);
    }
}
