//! in-toto ResourceDescriptor v1: an artifact by name, place and digest, in the predicates that are not ours.
//!
//! Only digest names that in-toto registers stand in `digest`: strict consumers refuse a whole statement for another.
//! BLAKE3 digests and Merkle roots are annotations. Absent fields are left out, as those specifications write them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::{Blake3Digest, Sha256Digest};
use crate::provenance::git::GitId;

use super::strict_json::DecimalU64;

/// One artifact. Closed: what is read was written by this program.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceDescriptor {
    /// What it is called within the statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is called anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// What its bytes hash to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<DigestSet>,
    /// What the format has no field for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
}

/// Digests under the names that in-toto registers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DigestSet {
    /// SHA-256 of the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256Digest>,
    /// Id of the git commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_commit: Option<GitId>,
}

/// What is said of an artifact beside its name and digest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Annotations {
    /// Plain BLAKE3 of the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<Blake3Digest>,
    /// Merkle root over the parts, as the training-run statement defines it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merkle_root: Option<Blake3Digest>,
    /// Number of parts: files of a data set, leaves of a log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<DecimalU64>,
    /// Sum of the sizes in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<DecimalU64>,
    /// Id of the commit's git tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_tree: Option<GitId>,
    /// Digest over what of the work tree differed from the commit; absent when nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncommitted: Option<Blake3Digest>,
}

impl ResourceDescriptor {
    /// A file or value known by its BLAKE3.
    pub(super) fn of_blake3(name: &str, blake3: Blake3Digest) -> Self {
        let annotations = Annotations { blake3: Some(blake3), ..Annotations::default() };
        Self { name: Some(name.to_owned()), annotations: Some(annotations), ..Self::default() }
    }

    /// An artifact that its URI and SHA-256 name.
    pub(super) fn of_sha256(uri: String, sha256: Sha256Digest) -> Self {
        let digest = DigestSet { sha256: Some(sha256), git_commit: None };
        Self { uri: Some(uri), digest: Some(digest), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{FileDigest, sha256};
    use crate::manifest::strict_json;

    fn text(descriptor: &ResourceDescriptor) -> String {
        String::from_utf8(strict_json::to_vec(descriptor).expect("small")).expect("UTF-8")
    }

    #[test]
    fn a_descriptor_is_written_without_what_is_absent() {
        let abc = FileDigest::of_bytes(b"abc");
        assert_eq!(
            text(&ResourceDescriptor::of_blake3("a", abc.blake3)),
            format!(r#"{{"name":"a","annotations":{{"blake3":"{}"}}}}"#, abc.blake3)
        );
        assert_eq!(
            text(&ResourceDescriptor::of_sha256("urn:x".into(), sha256(b"abc"))),
            format!(r#"{{"uri":"urn:x","digest":{{"sha256":"{}"}}}}"#, abc.sha256)
        );
    }

    #[test]
    fn a_descriptor_with_a_digest_that_is_not_registered_is_refused() {
        let sound = text(&ResourceDescriptor::of_sha256("urn:x".into(), sha256(b"abc")));
        assert!(strict_json::from_slice::<ResourceDescriptor>(sound.as_bytes()).is_ok());
        for name in ["blake3", "SHA256", "sha512"] {
            let text = sound.replace("sha256", name);
            assert!(strict_json::from_slice::<ResourceDescriptor>(text.as_bytes()).is_err(), "{text}");
        }
    }
}
