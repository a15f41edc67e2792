//! Keys against RFC 8032, against OpenSSL, and against hostile files.

use std::process::{Command, Output};

use ed25519_dalek::pkcs8::{EncodePrivateKey, KeypairBytes};

use super::*;

/// RFC 8032, section 7.1, test 2.
const SECRET: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
const PUBLIC: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
const MESSAGE: &[u8] = b"\x72";
const SIGNATURE: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    let bytes: Vec<_> =
        (0..N).map(|index| u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).expect("hex")).collect();
    bytes.try_into().expect("N bytes")
}

fn key() -> SigningKey {
    SigningKey::from_random(&bytes(SECRET))
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

#[test]
fn signatures_are_those_of_rfc_8032() {
    assert_eq!(key().public().as_bytes(), &bytes(PUBLIC));
    assert_eq!(key().sign(MESSAGE), bytes(SIGNATURE));
    assert!(key().public().verifies(MESSAGE, &bytes::<64>(SIGNATURE)));
    assert!(!key().public().verifies(b"\x73", &bytes::<64>(SIGNATURE)));
}

#[test]
fn a_key_id_is_the_hash_of_the_documented_text() {
    let key = PublicKey::from_bytes(&bytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
    // printf '%s' '{"keytype":"ed25519","keyval":{"public":"d75a…"},"scheme":"ed25519"}' | sha256sum
    assert_eq!(
        key.expect("a key").keyid().to_string(),
        "74c181c7ad8a0855d4b55e44d2ba87aabdddb196832571f15f92fece332e4916"
    );
}

#[test]
fn a_signature_of_another_length_is_not_valid() {
    let signature = bytes::<64>(SIGNATURE);
    for wrong in [&signature[..63], &[signature.as_slice(), &[0]].concat(), &[]] {
        assert!(!key().public().verifies(MESSAGE, wrong));
    }
}

#[test]
fn a_second_signature_made_from_the_first_is_not_valid() {
    // The group's order, little-endian: s + order signs the same by lax rules.
    let order: [u8; 32] = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut signature = bytes::<64>(SIGNATURE);
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(carry, 0);
    assert!(!key().public().verifies(MESSAGE, &signature));
}

#[test]
fn a_signature_with_a_point_of_small_order_is_not_valid() {
    // R is the neutral point and s = H(R ‖ A ‖ M) · a: lax rules accept it, and implementations disagree about it.
    let crafted: [u8; 64] = bytes(
        "0100000000000000000000000000000000000000000000000000000000000000675d054595fa17cb6a44e3ada6ca385e55667e41a63fdab0ac22d10000354002",
    );
    let lax =
        ed25519_dalek::Verifier::verify(&key().public().0, MESSAGE, &ed25519_dalek::Signature::from_bytes(&crafted));
    assert!(lax.is_ok());
    assert!(!key().public().verifies(MESSAGE, &crafted));
}

#[test]
fn weak_public_keys_are_refused() {
    // Points of order 1, 2, 4 and 8.
    for weak in [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    ] {
        assert!(matches!(PublicKey::from_bytes(&bytes(weak)), Err(KeyError::Weak { key }) if key == weak));
        assert!(matches!(weak.parse::<PublicKey>(), Err(KeyError::Weak { .. })));
    }
}

#[test]
fn bytes_that_are_no_point_are_refused() {
    let error = PublicKey::from_bytes(&bytes(&("02".to_owned() + &"00".repeat(31)))).expect_err("no point");
    assert!(matches!(error, KeyError::Public { .. }), "{error}");
}

#[test]
fn a_public_key_is_read_from_pem_hex_and_base64() {
    let public = key().public();
    let base64 = STANDARD.encode(public.as_bytes());
    for text in [public.to_spki_pem().as_str(), PUBLIC, &base64, &(base64.clone() + "\n")] {
        assert_eq!(text.parse::<PublicKey>().expect("a key"), public);
    }
    for text in ["", &PUBLIC[2..], &PUBLIC.to_uppercase(), base64.trim_end_matches('='), "-----BEGIN PUBLIC KEY-----"] {
        assert!(matches!(text.parse::<PublicKey>(), Err(KeyError::Public { .. })), "{text}");
    }
}

#[test]
fn a_private_key_is_no_public_key_and_the_reverse() {
    assert!(matches!(key().to_pkcs8_pem().parse::<PublicKey>(), Err(KeyError::Public { .. })));
    assert!(matches!(SigningKey::from_pkcs8_pem(&key().public().to_spki_pem()), Err(KeyError::Private { .. })));
}

#[test]
fn private_keys_are_written_as_version_1_and_read_as_1_or_2() {
    let ours = key().to_pkcs8_pem();
    // RFC 8410: SEQUENCE { INTEGER 0, SEQUENCE { OID 1.3.101.112 }, OCTET STRING { OCTET STRING } }.
    let mut der = bytes::<16>("302e020100300506032b657004220420").to_vec();
    der.extend_from_slice(&bytes::<32>(SECRET));
    let expected = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
    assert_eq!(*ours, expected);
    let theirs = key().0.to_pkcs8_pem(LineEnding::LF).expect("a key");
    assert_ne!(*theirs, *ours);
    for pem in [&ours, &theirs] {
        assert_eq!(SigningKey::from_pkcs8_pem(pem).expect("a key").public(), key().public());
    }
}

#[test]
fn a_private_key_with_the_public_key_of_another_is_refused() {
    let other = ed25519_dalek::pkcs8::PublicKeyBytes(*SigningKey::from_random(&[1; 32]).public().as_bytes());
    let pair = KeypairBytes { secret_key: bytes(SECRET), public_key: Some(other) };
    let pem = pair.to_pkcs8_pem(LineEnding::LF).expect("a key");
    assert!(matches!(SigningKey::from_pkcs8_pem(&pem), Err(KeyError::Private { .. })));
}

#[test]
fn a_private_key_of_another_algorithm_or_length_is_refused() {
    let pem =
        |der: &[u8]| format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
    let mut der = bytes::<16>("302e020100300506032b657004220420").to_vec();
    der.extend_from_slice(&bytes::<32>(SECRET));
    assert!(SigningKey::from_pkcs8_pem(&pem(&der)).is_ok());
    // X25519 is 1.3.101.110.
    let mut other = der.clone();
    other[11] = 110;
    let error = SigningKey::from_pkcs8_pem(&pem(&other)).expect_err("another algorithm");
    assert!(error.to_string().ends_with("expected the algorithm 1.3.101.112, got 1.3.101.110"), "{error}");
    let mut short = der.clone();
    (short[1], short[13], short[15]) = (0x2d, 0x21, 0x1f);
    short.pop();
    let error = SigningKey::from_pkcs8_pem(&pem(&short)).expect_err("a short key");
    assert!(error.to_string().ends_with("expected a key of 32 bytes"), "{error}");
    assert!(SigningKey::from_pkcs8_pem(&pem(&[der.as_slice(), &[0]].concat())).is_err());
}

#[test]
fn an_encrypted_private_key_is_called_that() {
    let pem = key().to_pkcs8_pem().replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert!(matches!(SigningKey::from_pkcs8_pem(&pem), Err(KeyError::Encrypted)));
}

#[test]
fn a_private_key_does_not_show_in_debug_output() {
    assert_eq!(format!("{:?}", key()), format!("SigningKey({})", key().public().keyid()));
}

#[test]
fn a_key_file_is_created_and_loaded() {
    let directory = directory();
    let path = directory.path().join("key.pem");
    key().create_new(&path).expect("a new file");
    assert_eq!(SigningKey::load(&path).expect("a key").public(), key().public());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o7777, 0o600);
    }
    let names: Vec<_> = fs::read_dir(directory.path()).expect("a directory").collect();
    assert_eq!(names.len(), 1);
}

#[test]
fn a_key_file_is_never_written_over() {
    let directory = directory();
    let path = directory.path().join("key.pem");
    fs::write(&path, "precious").expect("a file");
    let error = key().create_new(&path).expect_err("there is a file");
    assert!(matches!(&error, KeyError::Create { source, .. } if source.kind() == io::ErrorKind::AlreadyExists));
    assert_eq!(fs::read_to_string(&path).expect("a file"), "precious");
    assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1);
}

#[cfg(unix)]
#[test]
fn a_dangling_symlink_is_not_written_through() {
    let directory = directory();
    let path = directory.path().join("key.pem");
    std::os::unix::fs::symlink(directory.path().join("elsewhere"), &path).expect("a symlink");
    assert!(matches!(key().create_new(&path), Err(KeyError::Create { .. })));
    assert!(!directory.path().join("elsewhere").exists());
}

#[cfg(unix)]
#[test]
fn a_private_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let directory = directory();
    let path = directory.path().join("key.pem");
    key().create_new(&path).expect("a new file");
    for mode in [0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a file");
        let error = SigningKey::load(&path).expect_err("open to others");
        let expected = format!("key file {} has mode 0{mode:03o}, expected 0600: others may read it", path.display());
        assert_eq!(error.to_string(), expected);
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("a file");
    assert!(SigningKey::load(&path).is_ok());
}

#[test]
fn key_files_that_are_none_are_refused() {
    let directory = directory();
    let path = directory.path().join("file");
    assert!(matches!(PublicKey::load(&path), Err(KeyError::Read { .. })));
    assert!(matches!(PublicKey::load(directory.path()), Err(KeyError::NotAFile { .. })));
    fs::write(&path, " ".repeat(MAX_KEY_BYTES as usize + 1)).expect("a file");
    assert!(matches!(PublicKey::load(&path), Err(KeyError::TooLarge { .. })));
    fs::write(&path, "text").expect("a file");
    let error = PublicKey::load(&path).expect_err("no key");
    assert_eq!(error.to_string(), format!("key file {}", path.display()));
    assert!(matches!(error, KeyError::InFile { source, .. } if matches!(*source, KeyError::Public { .. })));
}

/// Runs OpenSSL in `directory`; `None` where there is no such program.
fn openssl(directory: &Path, args: &[&str]) -> Option<Output> {
    match Command::new("openssl").args(args).current_dir(directory).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => panic!("openssl: {error}"),
    }
}

fn assert_success(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn openssl_reads_our_keys_and_verifies_our_signatures() {
    let directory = directory();
    key().create_new(&directory.path().join("key.pem")).expect("a new file");
    let Some(public) = openssl(directory.path(), &["pkey", "-in", "key.pem", "-pubout"]) else { return };
    assert_success(&public);
    assert_eq!(String::from_utf8_lossy(&public.stdout), key().public().to_spki_pem());
    let message = crate::manifest::dsse::pae("type", b"payload");
    fs::write(directory.path().join("public.pem"), key().public().to_spki_pem()).expect("a file");
    fs::write(directory.path().join("message"), &message).expect("a file");
    fs::write(directory.path().join("signature"), key().sign(&message)).expect("a file");
    let verify = "pkeyutl -verify -pubin -inkey public.pem -rawin -in message -sigfile signature";
    let verify: Vec<_> = verify.split(' ').collect();
    assert_success(&openssl(directory.path(), &verify).expect("it ran before"));
    fs::write(directory.path().join("message"), b"another").expect("a file");
    assert!(!openssl(directory.path(), &verify).expect("it ran before").status.success());
}

#[test]
fn keys_and_signatures_of_openssl_are_accepted() {
    let directory = directory();
    let Some(made) = openssl(directory.path(), &["genpkey", "-algorithm", "ed25519", "-out", "key.pem"]) else {
        return;
    };
    assert_success(&made);
    assert_success(
        &openssl(directory.path(), &["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"]).expect("it ran"),
    );
    let message = crate::manifest::dsse::pae("type", b"payload");
    fs::write(directory.path().join("message"), &message).expect("a file");
    let sign = "pkeyutl -sign -inkey key.pem -rawin -in message -out signature";
    assert_success(&openssl(directory.path(), &sign.split(' ').collect::<Vec<_>>()).expect("it ran"));
    let public = PublicKey::load(&directory.path().join("public.pem")).expect("a key");
    let signature = fs::read(directory.path().join("signature")).expect("a file");
    assert!(public.verifies(&message, &signature));
    assert!(!public.verifies(b"another", &signature));
    let private = SigningKey::load(&directory.path().join("key.pem")).expect("a key");
    assert_eq!(private.public(), public);
}
