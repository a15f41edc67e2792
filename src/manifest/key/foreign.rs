//! Public keys as other programs write them: OpenSSH (RFC 4253, RFC 8709) and minisign.
//!
//! Each function returns `None` for a text of another form, so that the forms can be tried one after the other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{KeyError, public_error};

const OPENSSH_ED25519: &str = "ssh-ed25519";

/// What the names of OpenSSH's key types begin with.
const OPENSSH_TYPES: [&str; 3] = ["ssh-", "ecdsa-", "sk-"];

const MINISIGN_COMMENT: &str = "untrusted comment:";

/// What minisign's public keys begin with: the algorithm, then a key id.
const MINISIGN_ED25519: [u8; 2] = *b"Ed";
const MINISIGN_BYTES: usize = 2 + 8 + 32;

/// The line of an OpenSSH public key file: type, Base64, comment.
pub(super) fn openssh(text: &str) -> Option<Result<[u8; 32], KeyError>> {
    let mut words = text.split_ascii_whitespace();
    let algorithm = words.next()?;
    if !OPENSSH_TYPES.iter().any(|prefix| algorithm.starts_with(prefix)) {
        return None;
    }
    if algorithm != OPENSSH_ED25519 {
        let message = format!("expected the OpenSSH key type {OPENSSH_ED25519}, got {algorithm}");
        return Some(Err(KeyError::Public { message }));
    }
    if text.contains('\n') {
        return Some(Err(public_error(&"expected one OpenSSH key, got several lines")));
    }
    Some(openssh_blob(words.next().unwrap_or_default()))
}

/// The key inside the Base64: the type again, then the bytes, each behind its length.
fn openssh_blob(base64: &str) -> Result<[u8; 32], KeyError> {
    let blob = STANDARD.decode(base64).map_err(|error| public_error(&error))?;
    let key = take_string(&blob).and_then(|(algorithm, rest)| {
        let (key, rest) = take_string(rest)?;
        // The type is said twice; what another parser reads must be this.
        (algorithm == OPENSSH_ED25519.as_bytes() && rest.is_empty()).then_some(key)?.try_into().ok()
    });
    key.ok_or_else(|| public_error(&"the OpenSSH key is damaged"))
}

/// A string of RFC 4251 and what follows it.
fn take_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length).try_into().ok()?)
}

/// The line of an OpenSSH public key file, without a comment.
pub(super) fn to_openssh(key: &[u8; 32]) -> String {
    let mut blob = Vec::new();
    for string in [OPENSSH_ED25519.as_bytes(), key] {
        blob.extend_from_slice(&(string.len() as u32).to_be_bytes());
        blob.extend_from_slice(string);
    }
    format!("{OPENSSH_ED25519} {}", STANDARD.encode(blob))
}

/// A minisign public key: the file with its comment, or the one line that people hand out.
pub(super) fn minisign(text: &str) -> Option<Result<[u8; 32], KeyError>> {
    let line = match text.split_once('\n') {
        Some((comment, line)) if comment.starts_with(MINISIGN_COMMENT) => line,
        // A bare line is told by its length: 56 characters are neither hex of 32 bytes nor their Base64.
        None if text.len() == MINISIGN_BYTES.div_ceil(3) * 4 => text,
        _ => return None,
    };
    Some(minisign_blob(line.trim_end()))
}

fn minisign_blob(base64: &str) -> Result<[u8; 32], KeyError> {
    let blob = STANDARD.decode(base64).map_err(|error| public_error(&error))?;
    let Some((algorithm, rest)) = blob.split_first_chunk::<2>().filter(|_| blob.len() == MINISIGN_BYTES) else {
        let message = format!("expected a minisign public key of {MINISIGN_BYTES} bytes, got {}", blob.len());
        return Err(KeyError::Public { message });
    };
    // `ED` is the mark of signatures over a hash; minisign itself accepts no public key with it.
    if *algorithm != MINISIGN_ED25519 {
        let message = format!("expected the minisign algorithm `Ed`, got `{}`", algorithm.escape_ascii());
        return Err(KeyError::Public { message });
    }
    Ok(rest[8..].try_into().expect("42 bytes less 2 and 8 are 32"))
}
