//! in-toto Statement v1: which files a claim is about, and the claim.
//!
//! Each subject carries `digest.sha256` and nothing else: `blake3` is no registered digest name, and strict consumers
//! refuse a whole statement for an unknown one.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::failure::Advice;
use crate::provenance::path::{PathError, PathSet, RelativePath};

/// Most subjects of a statement.
pub const MAX_SUBJECTS: usize = 4096;

/// A signed claim about files. Equal to the in-toto Statement v1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement<P> {
    /// Always `https://in-toto.io/Statement/v1`.
    #[serde(rename = "_type")]
    pub kind: StatementKind,
    /// The files the claim is about; at least one, at most [`MAX_SUBJECTS`].
    #[schemars(length(min = 1, max = MAX_SUBJECTS))]
    pub subject: Vec<Subject>,
    /// What kind of claim it is: [`Predicate::TYPE`].
    pub predicate_type: String,
    /// The claim.
    pub predicate: P,
}

/// The one value of a statement's `_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StatementKind {
    /// in-toto Statement v1.
    #[serde(rename = "https://in-toto.io/Statement/v1")]
    V1,
}

/// One file, by name and content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subject {
    /// Where the file is, below the run directory.
    pub name: RelativePath,
    /// What its bytes hash to.
    pub digest: SubjectDigest,
}

/// The digests of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubjectDigest {
    /// SHA-256 of the file's bytes.
    pub sha256: Sha256Digest,
}

/// A claim that a statement can make.
pub trait Predicate: Serialize + DeserializeOwned {
    /// The URI that names this kind of claim.
    const TYPE: &'static str;

    /// Checks what the types alone do not.
    ///
    /// # Errors
    /// [`StatementError::Predicate`].
    fn check(&self) -> Result<(), StatementError>;
}

/// A statement that cannot be true of any files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// It is about nothing, or about too much.
    #[error("statement has {got} subjects, expected 1 to {MAX_SUBJECTS}")]
    SubjectCount {
        /// Number of subjects.
        got: usize,
    },
    /// Two subjects' names clash.
    #[error("subjects of the statement")]
    SubjectNames(#[from] PathError),
    /// It makes another kind of claim.
    #[error("predicate type: expected {expected:?}, got {got:?}")]
    PredicateType {
        /// The kind that was asked for.
        expected: &'static str,
        /// The kind that was found.
        got: String,
    },
    /// The claim contradicts itself.
    #[error("predicate at {path}: {message}")]
    Predicate {
        /// Where, as in `data[0].list`.
        path: String,
        /// What is wrong there.
        message: String,
    },
}

impl Advice for StatementError {}

impl Subject {
    /// A file by name and content.
    pub fn new(name: RelativePath, sha256: Sha256Digest) -> Self {
        Self { name, digest: SubjectDigest { sha256 } }
    }
}

impl<P: Predicate> Statement<P> {
    /// Makes a claim about files.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn new(subject: Vec<Subject>, predicate: P) -> Result<Self, StatementError> {
        let statement = Self { kind: StatementKind::V1, subject, predicate_type: P::TYPE.to_owned(), predicate };
        statement.check()?;
        Ok(statement)
    }

    /// Checks what the types alone do not: the number of subjects, their names against each other, the type of the
    /// predicate, and the predicate.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn check(&self) -> Result<(), StatementError> {
        if !(1..=MAX_SUBJECTS).contains(&self.subject.len()) {
            return Err(StatementError::SubjectCount { got: self.subject.len() });
        }
        let mut names = PathSet::new();
        self.subject.iter().try_for_each(|subject| names.insert(&subject.name))?;
        if self.predicate_type != P::TYPE {
            return Err(StatementError::PredicateType { expected: P::TYPE, got: self.predicate_type.clone() });
        }
        self.predicate.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256;
    use crate::manifest::strict_json;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Claim {}

    impl Predicate for Claim {
        const TYPE: &'static str = "urn:example:claim";

        fn check(&self) -> Result<(), StatementError> {
            Ok(())
        }
    }

    fn of(names: &[&str]) -> Result<Statement<Claim>, StatementError> {
        let subject = |name: &&str| {
            let name = RelativePath::parse(name)?;
            Ok(Subject { name, digest: SubjectDigest { sha256: sha256(b"") } })
        };
        Statement::new(names.iter().map(subject).collect::<Result<_, StatementError>>()?, Claim {})
    }

    #[test]
    fn a_statement_is_written_as_in_toto_writes_it() {
        let bytes = strict_json::to_vec(&of(&["a/b"]).expect("a statement")).expect("small");
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let expected = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"a/b","digest":{{"sha256":"{empty}"}}}}],"predicateType":"urn:example:claim","predicate":{{}}}}"#
        );
        assert_eq!(String::from_utf8(bytes).expect("UTF-8"), expected);
    }

    #[test]
    fn a_statement_about_nothing_or_too_much_is_refused() {
        assert_eq!(of(&[]), Err(StatementError::SubjectCount { got: 0 }));
        let names: Vec<_> = (0..=MAX_SUBJECTS).map(|index| index.to_string()).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert_eq!(of(&names), Err(StatementError::SubjectCount { got: MAX_SUBJECTS + 1 }));
        assert!(of(&names[1..]).is_ok());
    }

    #[test]
    fn subjects_that_clash_are_refused() {
        for names in [["a", "a"], ["a", "A"], ["a", "a/b"]] {
            assert!(matches!(of(&names), Err(StatementError::SubjectNames(_))), "{names:?}");
        }
    }

    #[test]
    fn a_subject_outside_the_run_directory_is_refused() {
        let text = |name: &str| {
            let digest = sha256(b"");
            format!(r#"{{"name":"{name}","digest":{{"sha256":"{digest}"}}}}"#)
        };
        assert!(strict_json::from_slice::<Subject>(text("a/b").as_bytes()).is_ok());
        for name in ["/a", "../a", "a\\\\b", "C:a", "a\\u0000", "", "a/./b"] {
            assert!(strict_json::from_slice::<Subject>(text(name).as_bytes()).is_err(), "{name}");
        }
    }

    #[test]
    fn a_subject_with_another_digest_is_refused() {
        let digest = sha256(b"");
        for fields in
            [format!(r#""sha256":"{digest}","blake3":"{digest}""#), format!(r#""sha512":"{digest}""#), "".into()]
        {
            let text = format!(r#"{{"name":"a","digest":{{{fields}}}}}"#);
            assert!(strict_json::from_slice::<Subject>(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn another_predicate_type_is_refused() {
        let mut statement = of(&["a"]).expect("a statement");
        statement.predicate_type = "urn:example:other".to_owned();
        let got = statement.predicate_type.clone();
        assert_eq!(statement.check(), Err(StatementError::PredicateType { expected: Claim::TYPE, got }));
    }

    #[test]
    fn another_statement_type_is_refused() {
        let text = strict_json::to_vec(&of(&["a"]).expect("a statement")).expect("small");
        let text = String::from_utf8(text).expect("UTF-8").replace("Statement/v1", "Statement/v0.1");
        assert!(strict_json::from_slice::<Statement<Claim>>(text.as_bytes()).is_err());
    }
}
