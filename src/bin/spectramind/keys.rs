//! `spectramind keys`, and where the key of a run comes from.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::output::{out, outln};

use anyhow::{Context, Result};
use clap::Subcommand;
use etcetera::{BaseStrategy, choose_base_strategy};
use spectramind::durable;
use spectramind::manifest::key::SigningKey;
use zeroize::Zeroizing;

/// Ed25519 keys that runs are signed with
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
    },
    /// Show which key signs, or its public half
    Show {
        /// Print the public key as SPKI PEM: what others verify with
        #[arg(long)]
        public: bool,
        /// The key file [default: the user's config directory]
        #[arg(long, value_name = "FILE")]
        signing_key: Option<PathBuf>,
    },
}

/// Makes or shows a key.
pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.command {
        Command::Generate { out } => {
            let path = out.clone().map_or_else(default_path, Ok)?;
            let key = generate(&path)?;
            eprintln!("wrote {}", path.display());
            outln!("{}", key.public().keyid());
        }
        Command::Show { public, signing_key } => {
            let path = signing_key.clone().map_or_else(default_path, Ok)?;
            let key = SigningKey::load(&path)?.public();
            if *public {
                out!("{}", key.to_spki_pem());
            } else {
                outln!("file   {}\nkeyid  {}", path.display(), key.keyid());
            }
        }
    }
    Ok(())
}

/// The key a run is signed with: the given file, or the user's own, made on the first run.
///
/// # Errors
/// When it cannot be read or made; nothing has been trained then.
pub fn for_signing(given: Option<&Path>) -> Result<SigningKey> {
    let path = given.map_or_else(default_path, |path| Ok(path.to_owned()))?;
    if given.is_some() || path.symlink_metadata().is_ok() {
        let key = SigningKey::load(&path)?;
        if !public_path(&path).exists() {
            // A folder of secrets may be read-only; the key signs all the same.
            if let Err(error) = write_public(&key, &path) {
                eprintln!("Warning: {error:#}; `spectramind keys show --public` prints the public key");
            }
        }
        return Ok(key);
    }
    let key = generate(&path)?;
    eprintln!("made a signing key for you: {}", path.display());
    Ok(key)
}

/// The user's own key file.
fn default_path() -> Result<PathBuf> {
    let directories = choose_base_strategy().context("the user's config directory cannot be found")?;
    Ok(directories.config_dir().join("spectramind").join("signing-key.pem"))
}

fn generate(path: &Path) -> Result<SigningKey> {
    let folder = durable::folder_of(path);
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut seed = Zeroizing::new([0; 32]);
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(seed.as_mut()))
        .context("the system's random numbers cannot be read")?;
    let key = SigningKey::from_random(&seed);
    key.create_new(path)?;
    write_public(&key, path)?;
    Ok(key)
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
