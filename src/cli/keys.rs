//! `spectramind keys`, and where the key of a run comes from.

mod trust;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::cli::output::{out, outln};
use crate::cli::{passphrase, program};

use crate::digest::Sha256Digest;
use crate::durable;
use crate::failure::{Context, Result};
use crate::manifest::key::{KeyError, PublicKey, Salt, SigningKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use etcetera::{BaseStrategy, choose_base_strategy};
use zeroize::Zeroizing;

/// Ed25519 keys: yours that runs are signed with, and whose are trusted
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a new key: PKCS#8 PEM, mode 0600, never over an existing file
    Generate {
        /// Where to put it [default: the user's config directory]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Encrypt it with a passphrase
        #[arg(long)]
        encrypted: bool,
        #[command(flatten)]
        passphrase: passphrase::Arguments,
    },
    /// Show which key signs, or its public half
    Show {
        /// Print the public key as SPKI PEM: what others verify with
        #[arg(long)]
        public: bool,
        /// The key file [default: the user's config directory]
        #[arg(long, value_name = "FILE")]
        signing_key: Option<PathBuf>,
        #[command(flatten)]
        passphrase: passphrase::Arguments,
    },
    Trust(trust::Arguments),
}

/// Makes or shows a key, or does what `keys trust` does.
pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.command {
        Command::Generate { out, encrypted, passphrase } => {
            let path = out.clone().map_or_else(default_path, Ok)?;
            let key = generate(&path, encrypted.then_some(passphrase))?;
            eprintln!("wrote {}", path.display());
            outln!("{}", key.public().keyid());
        }
        Command::Show { public, signing_key, passphrase } => {
            let path = signing_key.clone().map_or_else(default_path, Ok)?;
            let Shown { key, encrypted } = shown(&path, passphrase)?;
            if *public {
                out!("{}", key.to_spki_pem());
            } else {
                outln!("file       {}", path.display());
                outln!("encrypted  {}", if encrypted { "yes" } else { "no" });
                outln!("keyid      {}", key.keyid());
                outln!("hex        {}", Sha256Digest::from_bytes(*key.as_bytes()));
                outln!("base64     {}", STANDARD.encode(key.as_bytes()));
                outln!("openssh    {}", key.to_openssh());
            }
        }
        Command::Trust(arguments) => trust::run(arguments)?,
    }
    Ok(())
}

/// The key a run is signed with: the given file, or the user's own, made on the first run.
///
/// # Errors
/// When it cannot be read or made; nothing has been trained then.
pub fn for_signing(given: Option<&Path>, passphrase: &passphrase::Arguments) -> Result<SigningKey> {
    let path = given.map_or_else(default_path, |path| Ok(path.to_owned()))?;
    if given.is_some() || path.symlink_metadata().is_ok() {
        let key = load(&path, passphrase)?;
        if !public_path(&path).exists() {
            // A folder of secrets may be read-only; the key signs all the same.
            if let Err(error) = write_public(&key, &path) {
                let program = program::name();
                eprintln!("Warning: {error}; `{program} keys show --public` prints the public key");
            }
        }
        return Ok(key);
    }
    let key = generate(&path, None)?;
    eprintln!("made a signing key for you: {}", path.display());
    Ok(key)
}

/// Reads a private key, asking for a passphrase where it needs one.
fn load(path: &Path, passphrase: &passphrase::Arguments) -> Result<SigningKey> {
    SigningKey::load_with(path, || passphrase.to_open(path))
}

/// What is shown of a key file.
struct Shown {
    key: PublicKey,
    encrypted: bool,
}

/// The public half of a key file; of an encrypted one, that of the file beside it, if there is one.
fn shown(path: &Path, passphrase: &passphrase::Arguments) -> Result<Shown> {
    match SigningKey::load(path) {
        Ok(key) => Ok(Shown { key: key.public(), encrypted: false }),
        Err(KeyError::InFile { source, .. }) if matches!(*source, KeyError::Encrypted) => {
            let public = public_path(path);
            let key = if public.exists() { PublicKey::load(&public)? } else { load(path, passphrase)?.public() };
            Ok(Shown { key, encrypted: true })
        }
        Err(error) => Err(error.into()),
    }
}

/// The user's own key file.
fn default_path() -> Result<PathBuf> {
    let directories = choose_base_strategy().context("the user's config directory cannot be found");
    let directories = directories.map_err(|failure| failure.with_hint("set HOME, or name the key's file"))?;
    Ok(directories.config_dir().join("spectramind").join("signing-key.pem"))
}

fn generate(path: &Path, encrypted: Option<&passphrase::Arguments>) -> Result<SigningKey> {
    let folder = durable::folder_of(path);
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let seed = random()?;
    let key = SigningKey::from_random(&seed);
    match encrypted {
        Some(source) => key.create_new_encrypted(path, &source.to_encrypt(path)?, Salt::from_random(*random()?))?,
        None => key.create_new(path)?,
    }
    write_public(&key, path)?;
    Ok(key)
}

/// Random bytes of the operating system.
fn random() -> Result<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(bytes.as_mut()))
        .context("the system's random numbers cannot be read")?;
    Ok(bytes)
}

/// Writes the public half beside a key: a verifier has no business with the private one.
fn write_public(key: &SigningKey, path: &Path) -> Result<()> {
    let public = public_path(path);
    durable::write_whole(&public, key.public().to_spki_pem().as_bytes())
        .with_context(|| format!("cannot write {}", public.display()))
}

/// Where the public half of a key file lies.
pub fn public_path(private: &Path) -> PathBuf {
    private.with_extension("pub.pem")
}
