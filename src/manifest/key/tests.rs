//! Keys against RFC 8032, against OpenSSL, and against hostile files.

use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::{EncodePrivateKey, KeypairBytes};
use pkcs8::der::EncodePem;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::{Kdf, Parameters, Pbkdf2Params, Pbkdf2Prf, Salt as KdfSalt, ScryptParams};
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding};

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

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned())).expect("a passphrase")
}

/// Writes a private key's file.
fn put(path: &Path, pem: &str) {
    fs::write(path, pem).expect("a file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a file");
    }
}

/// Loads a key file with this passphrase.
fn load(path: &Path, text: &str) -> Result<SigningKey, KeyError> {
    SigningKey::load_with(path, || Ok(passphrase(text)))
}

/// What a key file is refused for.
fn cause(error: KeyError) -> KeyError {
    match error {
        KeyError::InFile { source, .. } => *source,
        other => other,
    }
}

#[test]
fn an_encrypted_private_key_is_called_that() {
    let pem = key().to_encrypted_pem(&passphrase("x"), Salt::from_random([7; 32]));
    assert!(matches!(SigningKey::from_pkcs8_pem(&pem), Err(KeyError::Encrypted)));
    let folder = directory();
    let path = folder.path().join("key.pem");
    put(&path, &pem);
    assert!(matches!(cause(SigningKey::load(&path).expect_err("encrypted")), KeyError::Encrypted));
}

#[test]
fn an_encrypted_key_opens_with_its_passphrase_and_no_other() {
    let folder = directory();
    let path = folder.path().join("key.pem");
    key().create_new_encrypted(&path, &passphrase(" pässword "), Salt::from_random([7; 32])).expect("a new file");
    assert_eq!(load(&path, " pässword ").expect("a key").public(), key().public());
    for wrong in [" pässword", "pässword", " p\u{e4}ssword \n", "x"] {
        assert!(matches!(cause(load(&path, wrong).expect_err(wrong)), KeyError::WrongPassphrase), "{wrong}");
    }
    let secret = fs::read_to_string(&path).expect("a file");
    assert!(!secret.contains(&STANDARD.encode(bytes::<32>(SECRET))[..20]));
}

#[test]
fn two_encryptions_of_a_key_have_nothing_in_common() {
    let pem = |salt| key().to_encrypted_pem(&passphrase("x"), Salt::from_random([salt; 32]));
    let (first, second) = (pem(1), pem(2));
    let last = |pem: &str| pem.lines().rev().nth(1).expect("a line").to_owned();
    assert_ne!(last(&first), last(&second));
}

#[test]
fn nobody_is_asked_for_the_passphrase_of_a_key_that_needs_none_or_is_none() {
    let folder = directory();
    let path = folder.path().join("key.pem");
    let asked = || -> Result<Passphrase, KeyError> { panic!("asked") };
    put(&path, &key().to_pkcs8_pem());
    assert!(SigningKey::load_with(&path, asked).is_ok());
    put(&path, &hostile(pbkdf2(u32::MAX)));
    assert!(SigningKey::load_with(&path, asked).is_err());
}

#[test]
fn an_empty_passphrase_is_refused() {
    assert!(matches!(Passphrase::new(Zeroizing::default()), Err(KeyError::EmptyPassphrase)));
    let folder = directory();
    let path = folder.path().join("passphrase");
    for empty in ["", "\n", "\r\n"] {
        put(&path, empty);
        assert!(matches!(cause(Passphrase::load(&path).err().expect("empty")), KeyError::EmptyPassphrase));
    }
}

#[test]
fn one_line_break_at_the_end_of_a_passphrase_file_does_not_count() {
    let folder = directory();
    let path = folder.path().join("passphrase");
    for (content, expected) in [("a b", "a b"), ("a b\n", "a b"), ("a b\r\n", "a b"), ("a\n\n", "a\n"), (" a ", " a ")]
    {
        put(&path, content);
        assert_eq!(Passphrase::load(&path).expect("a passphrase").as_bytes(), expected.as_bytes());
    }
}

#[cfg(unix)]
#[test]
fn a_passphrase_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = directory();
    let path = folder.path().join("passphrase");
    put(&path, "secret");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a file");
    assert!(matches!(Passphrase::load(&path), Err(KeyError::Permissions { got: 0o644, .. })));
}

/// An encrypted private key that asks for this derivation; whether it would open does not matter.
fn hostile(kdf: Kdf) -> String {
    let encryption = pkcs8::pkcs5::pbes2::EncryptionScheme::Aes256Cbc { iv: [0; 16] };
    let encryption_algorithm = EncryptionScheme::Pbes2(Parameters { kdf, encryption });
    let encrypted_data = OctetStringRef::new(&[0; 64]).expect("a short string");
    EncryptedPrivateKeyInfoRef { encryption_algorithm, encrypted_data }.to_pem(LineEnding::LF).expect("PEM")
}

fn pbkdf2(iterations: u32) -> Kdf {
    let salt = KdfSalt::new([0; 16]).expect("a salt");
    let prf = Pbkdf2Prf::HmacWithSha256;
    Pbkdf2Params { salt, iteration_count: iterations, key_length: None, prf }.into()
}

fn scrypt(cost_parameter: u64, block_size: u16, parallelization: u16) -> Kdf {
    let salt = KdfSalt::new([0; 16]).expect("a salt");
    ScryptParams { salt, cost_parameter, block_size, parallelization, key_length: None }.into()
}

#[test]
fn a_key_file_that_asks_for_days_of_work_or_all_memory_is_refused_at_once() {
    let folder = directory();
    let path = folder.path().join("key.pem");
    for kdf in [
        pbkdf2(u32::MAX),
        pbkdf2(10_000_001),
        pbkdf2(0),
        scrypt(1 << 40, 8, 1),
        scrypt(u64::MAX, 8, 1),
        scrypt(1 << 19, 8, 1),
        scrypt(1 << 14, u16::MAX, 1),
        scrypt(1 << 14, 8, u16::MAX),
        scrypt(0, 8, 1),
        scrypt(1 << 14, 0, 1),
        scrypt(1 << 14, 8, 0),
    ] {
        put(&path, &hostile(kdf.clone()));
        let error = cause(load(&path, "x").expect_err("a hostile key"));
        assert!(matches!(error, KeyError::DerivationCost { .. }), "{kdf:?}: {error}");
    }
    // No power of two is no cost of scrypt.
    put(&path, &hostile(scrypt(1000, 8, 1)));
    assert!(matches!(cause(load(&path, "x").expect_err("no cost")), KeyError::Private { .. }));
}

#[test]
fn a_cut_or_changed_encrypted_key_is_refused() {
    let pem = key().to_encrypted_pem(&passphrase("x"), Salt::from_random([7; 32]));
    let folder = directory();
    let path = folder.path().join("key.pem");
    let (label, document) = pkcs8::SecretDocument::from_pem(&pem).expect("PEM");
    let der = document.as_bytes();
    assert!(load_der(&path, label, der).is_ok());
    // A byte of the last block: the padding or the key's end.
    let mut changed = der.to_vec();
    *changed.last_mut().expect("bytes") ^= 1;
    for wrong in [&der[..der.len() - 1], &der[..20], &[der, &[0]].concat(), &changed] {
        assert!(load_der(&path, label, wrong).is_err());
    }
}

fn load_der(path: &Path, label: &str, der: &[u8]) -> Result<SigningKey, KeyError> {
    put(path, &format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", wrapped(&STANDARD.encode(der))));
    load(path, "x")
}

/// PEM's lines of 64 characters.
fn wrapped(base64: &str) -> String {
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("ASCII")).collect();
    lines.join("\n")
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
    key()
        .create_new_encrypted(&directory.path().join("locked.pem"), &passphrase("x y"), Salt::from_random([7; 32]))
        .expect("a new file");
    let unlock = |pass| openssl(directory.path(), &["pkey", "-in", "locked.pem", "-passin", pass, "-pubout"]);
    let unlocked = unlock("pass:x y").expect("it ran before");
    assert_success(&unlocked);
    assert_eq!(unlocked.stdout, public.stdout);
    assert!(!unlock("pass:x").expect("it ran before").status.success());
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

#[test]
fn encrypted_keys_of_openssl_are_opened() {
    let folder = directory();
    let run = |words: &str| openssl(folder.path(), &words.split(' ').collect::<Vec<_>>());
    let Some(made) = run("genpkey -algorithm ed25519 -aes256 -pass pass:x -out made.pem") else { return };
    assert_success(&made);
    let convert = "pkcs8 -topk8 -in made.pem -passin pass:x -passout pass:x";
    for (name, options) in [
        ("aes128.pem", "-v2 aes-128-cbc"),
        ("sha512.pem", "-v2 aes-256-cbc -v2prf hmacWithSHA512 -iter 100000"),
        ("scrypt.pem", "-scrypt"),
    ] {
        assert_success(&run(&format!("{convert} {options} -out {name}")).expect("it ran before"));
    }
    let public = run("pkey -in made.pem -passin pass:x -pubout").expect("it ran before");
    let public: PublicKey = String::from_utf8(public.stdout).expect("UTF-8").parse().expect("a key");
    for name in ["made.pem", "aes128.pem", "sha512.pem", "scrypt.pem"] {
        let path = folder.path().join(name);
        put(&path, &fs::read_to_string(&path).expect("a file"));
        assert_eq!(load(&path, "x").expect(name).public(), public);
        assert!(matches!(cause(load(&path, "y").expect_err(name)), KeyError::WrongPassphrase), "{name}");
    }
    for (name, options) in [("des.pem", "-v2 des3"), ("sha1.pem", "-v2 aes-256-cbc -v2prf hmacWithSHA1")] {
        assert_success(&run(&format!("{convert} {options} -out {name}")).expect("it ran before"));
        let path = folder.path().join(name);
        put(&path, &fs::read_to_string(&path).expect("a file"));
        assert!(matches!(cause(load(&path, "x").expect_err(name)), KeyError::Private { .. }), "{name}");
    }
}

#[test]
fn a_second_encoding_of_a_point_is_refused() {
    // The field's prime and the few numbers above it that 255 bits hold: each is another spelling of 0, 1, 2, …
    let mut other_spellings = 0;
    for low in 0xed..=0xff_u8 {
        for sign in [0x7f, 0xff] {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (low, sign);
            match PublicKey::from_bytes(&bytes) {
                Err(KeyError::Public { message }) if message.contains("canonical") => other_spellings += 1,
                Err(KeyError::Public { .. } | KeyError::Weak { .. }) => {}
                other => panic!("{low:x} {sign:x}: {other:?}"),
            }
        }
    }
    assert!(other_spellings > 0);
}

/// The key of RFC 8032 as OpenSSH writes it.
const OPENSSH: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM";

#[test]
fn an_openssh_public_key_is_read_and_written() {
    assert_eq!(key().public().to_openssh(), OPENSSH);
    for comment in ["", " user@host", " two words\n", "\r\n"] {
        assert_eq!(format!("{OPENSSH}{comment}").parse::<PublicKey>().expect("a key"), key().public());
    }
}

#[test]
fn an_openssh_key_of_another_type_is_refused_by_name() {
    for name in ["ssh-rsa", "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com", "ssh-ed25519-cert-v01@openssh.com"] {
        let error = format!("{name} AAAA user@host").parse::<PublicKey>().expect_err(name);
        assert!(error.to_string().ends_with(&format!("expected the OpenSSH key type ssh-ed25519, got {name}")));
    }
}

#[test]
fn a_damaged_openssh_key_is_refused() {
    let blob = STANDARD.decode(&OPENSSH[12..]).expect("Base64");
    let line = |blob: &[u8]| format!("ssh-ed25519 {}", STANDARD.encode(blob));
    assert!(line(&blob).parse::<PublicKey>().is_ok());
    // The type inside is another; the length of the key is a lie, short or long; bytes follow; half of it.
    let at = |index: usize, value: u8| {
        let mut changed = blob.clone();
        changed[index] = value;
        changed
    };
    for wrong in
        [at(14, b'8'), at(18, 31), at(18, 33), at(15, 0xff), [blob.as_slice(), &[0]].concat(), blob[..30].to_vec()]
    {
        assert!(matches!(line(&wrong).parse::<PublicKey>(), Err(KeyError::Public { .. })), "{wrong:?}");
    }
    for text in ["ssh-ed25519", &OPENSSH.replace('=', ""), &format!("{OPENSSH}\n{OPENSSH}"), &OPENSSH[..60]] {
        let read = text.parse::<PublicKey>();
        assert_eq!(read.is_ok(), text == OPENSSH, "{text}");
    }
}

#[test]
fn a_key_made_by_ssh_keygen_verifies_what_it_signed() {
    let folder = directory();
    let ssh_keygen = |args: &[&str]| match Command::new("ssh-keygen").args(args).current_dir(folder.path()).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => panic!("ssh-keygen: {error}"),
    };
    let Some(made) = ssh_keygen(&["-q", "-t", "ed25519", "-N", "", "-C", "a comment", "-f", "id"]) else { return };
    assert_success(&made);
    let public = PublicKey::load(&folder.path().join("id.pub")).expect("a key");
    fs::write(folder.path().join("message"), b"payload").expect("a file");
    let sign = ["-Y", "sign", "-q", "-f", "id", "-n", "file", "-O", "hashalg=sha256", "message"];
    assert_success(&ssh_keygen(&sign).expect("it ran before"));
    // PROTOCOL.sshsig: what is signed are these strings; the signature ends with its 64 bytes.
    let armored = fs::read_to_string(folder.path().join("message.sig")).expect("a file");
    let base64: String = armored.lines().filter(|line| !line.starts_with('-')).collect();
    let blob = STANDARD.decode(base64).expect("Base64");
    let mut message = b"SSHSIG".to_vec();
    for string in [b"file".as_slice(), b"", b"sha256", crate::digest::sha256(b"payload").as_bytes()] {
        message.extend_from_slice(&(string.len() as u32).to_be_bytes());
        message.extend_from_slice(string);
    }
    assert!(public.verifies(&message, &blob[blob.len() - 64..]));
    // And it reads the line that we write.
    fs::write(folder.path().join("ours.pub"), public.to_openssh()).expect("a file");
    let fingerprint = |file| ssh_keygen(&["-l", "-f", file]).expect("it ran before");
    let (ours, theirs) = (fingerprint("ours.pub"), fingerprint("id.pub"));
    assert_success(&ours);
    let hash = |output: &Output| String::from_utf8_lossy(&output.stdout).split(' ').nth(1).map(str::to_owned);
    assert_eq!(hash(&ours), hash(&theirs));
}

/// From minisign's own documentation: a key, and its signature of `test`.
const MINISIGN: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const MINISIGN_SIGNATURE: &str =
    "RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=";

#[test]
fn a_minisign_public_key_verifies_what_minisign_signed() {
    let signature = STANDARD.decode(MINISIGN_SIGNATURE).expect("Base64");
    let file = format!("untrusted comment: minisign public key E7620F1842B4E81F\n{MINISIGN}\n");
    for text in [MINISIGN, &file, &file.replace('\n', "\r\n")] {
        let public = text.parse::<PublicKey>().expect("a key");
        assert!(public.verifies(b"test", &signature[10..]));
        assert!(!public.verifies(b"tesT", &signature[10..]));
    }
}

#[test]
fn what_is_no_minisign_public_key_is_refused() {
    let mut hashed = STANDARD.decode(MINISIGN).expect("Base64");
    hashed[1] = b'D';
    let error = STANDARD.encode(&hashed).parse::<PublicKey>().expect_err("of another algorithm");
    assert!(error.to_string().ends_with("expected the minisign algorithm `Ed`, got `ED`"), "{error}");
    let signature = format!("untrusted comment: signature\n{MINISIGN_SIGNATURE}");
    let error = signature.parse::<PublicKey>().expect_err("a signature");
    assert!(error.to_string().ends_with("expected a minisign public key of 42 bytes, got 74"), "{error}");
    let weak = STANDARD.encode([b"Ed\0\0\0\0\0\0\0\0".as_slice(), &[0; 32]].concat());
    assert!(matches!(weak.parse::<PublicKey>(), Err(KeyError::Weak { .. })));
    for text in [format!("untrusted comment: x\n{PUBLIC}"), "untrusted comment: x".into(), format!("x\n{MINISIGN}")] {
        assert!(matches!(text.parse::<PublicKey>(), Err(KeyError::Public { .. })), "{text}");
    }
}
