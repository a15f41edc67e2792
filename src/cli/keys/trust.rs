//! `spectramind keys trust`: the document that says whose signatures count.

use std::path::{Path, PathBuf};

use crate::durable;
use crate::failure::{Context, Failure, Result};
use crate::manifest::key::{PublicKey, SigningKey};
use crate::manifest::timestamp::UtcTime;
use crate::manifest::trust::state::StateFile;
use crate::manifest::trust::{
    NamedRoot, Role, Root, RootOrigin, Trust, TrustDocument, TrustError, TrustSource, TrustedKey, read_file,
};
use clap::{Subcommand, ValueEnum};
use etcetera::{BaseStrategy, choose_base_strategy};
use jiff::Timestamp;

use crate::cli::output::outln;
use crate::cli::{passphrase, program, world};

/// Say whose signatures count, in a document signed by root keys
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Begin a trust document: version 1, which trusts nobody yet
    Init {
        /// The new file
        #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
        out: PathBuf,
        /// How many of the root keys have to sign each version
        #[arg(long, value_name = "N", default_value_t = 1)]
        root_threshold: u32,
        #[command(flatten)]
        signing: Signing,
    },
    /// Trust a key
    Add {
        /// Whose key it is
        #[arg(long)]
        name: String,
        /// Its public half: SPKI PEM, OpenSSH, minisign, hex or Base64
        #[arg(long, value_name = "PUB")]
        key: PathBuf,
        /// What it may sign
        #[arg(long)]
        role: RoleArgument,
        /// First moment at which it counts, such as 2026-01-31T12:00:00Z
        #[arg(long, value_name = "TIME")]
        not_before: Option<UtcTime>,
        /// Last moment at which it counts
        #[arg(long, value_name = "TIME")]
        not_after: Option<UtcTime>,
        /// It counts only for runs of these challenges [default: for any run]
        #[arg(long = "challenge", value_name = "ID", num_args = 1..)]
        challenges: Vec<String>,
        #[command(flatten)]
        change: Change,
    },
    /// Withdraw a key, for good
    Revoke {
        /// Whose key
        #[arg(long)]
        name: String,
        /// From when on it no longer counts [default: now]
        #[arg(long, value_name = "TIME")]
        at: Option<UtcTime>,
        #[command(flatten)]
        change: Change,
    },
    /// Say how many keys of a role have to sign
    Threshold {
        /// How many
        #[arg(value_name = "N")]
        threshold: u32,
        /// Of which role
        #[arg(long)]
        role: RoleArgument,
        #[command(flatten)]
        change: Change,
    },
    /// Hand over to other root keys; old and new ones sign
    Rotate {
        /// A root key from now on (PKCS#8 PEM); repeat it for several
        #[arg(long = "new-root", value_name = "FILE", required = true)]
        new_roots: Vec<PathBuf>,
        /// How many of the new root keys have to sign each version
        #[arg(long, value_name = "N", default_value_t = 1)]
        root_threshold: u32,
        #[command(flatten)]
        change: Change,
    },
    /// Sign the same again, with another end given by --expires-at
    Renew {
        #[command(flatten)]
        change: Change,
    },
    /// Show a trust document, and whether a known root signed it
    List {
        /// The file
        #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
        trust: PathBuf,
        /// A public root key that must vouch for it; it is not remembered [default: those that are believed: your own,
        /// and those of `spectramind-verify --remember-root`]
        #[arg(long, value_name = "PUB")]
        root_key: Option<PathBuf>,
    },
}

#[derive(clap::Args)]
struct Change {
    /// The trust document
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    trust: PathBuf,
    #[command(flatten)]
    signing: Signing,
}

#[derive(clap::Args)]
struct Signing {
    /// Sign with this root key (PKCS#8 PEM, mode 0600); repeat it for several
    #[arg(long = "root-key", value_name = "FILE", required = true)]
    root_keys: Vec<PathBuf>,
    /// Last moment at which verifiers accept the document [default: as before; at first, no end]
    #[arg(long, value_name = "TIME")]
    expires_at: Option<UtcTime>,
    #[command(flatten)]
    passphrase: passphrase::Arguments,
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleArgument {
    Trainer,
    Verifier,
}

const DEFAULT_FILE: &str = "trust.json";

/// Makes, changes or shows a trust document.
pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.command {
        Command::Init { out, root_threshold, signing } => init(out, *root_threshold, signing),
        Command::Add { name, key, role, not_before, not_after, challenges, change } => {
            let key = TrustedKey {
                not_before: *not_before,
                not_after: *not_after,
                challenges: (!challenges.is_empty()).then(|| challenges.clone()),
                ..TrustedKey::new(name.clone(), PublicKey::load(key)?, (*role).into())
            };
            change.make(&[], |document| {
                document.keys.push(key);
                Ok(())
            })
        }
        Command::Revoke { name, at, change } => {
            change.make(&[], |document| document.revoke(name, at.unwrap_or_else(world::now)))
        }
        Command::Threshold { threshold, role, change } => change.make(&[], |document| {
            document.thresholds.set((*role).into(), *threshold);
            Ok(())
        }),
        Command::Rotate { new_roots, root_threshold, change } => {
            let keys = change.signing.open(new_roots)?;
            let root = root_of(&keys, *root_threshold);
            change.make(&keys, |document| {
                document.root = root;
                Ok(())
            })
        }
        Command::Renew { change } => change.make(&[], |_| Ok(())),
        Command::List { trust, root_key } => list(trust, root_key.as_deref()),
    }
}

fn init(out: &Path, root_threshold: u32, signing: &Signing) -> Result<()> {
    if out.symlink_metadata().is_ok() {
        let message = format!("{} exists already: a trust document is never begun over another", out.display());
        let hint = format!("change it with `{} keys trust add`, or name another --out", program::name());
        return Err(Failure::usage(message, hint));
    }
    let keys = signing.keys()?;
    let document = TrustDocument::first(root_of(&keys, root_threshold), world::now());
    let mut state = StateFile::open(&state_path()?)?;
    signing.publish(document, &keys, &[], out, &mut state)
}

impl Change {
    /// Makes the next version, signed by the old root keys and those that `more` are.
    fn make(
        &self,
        more: &[SigningKey],
        change: impl FnOnce(&mut TrustDocument) -> Result<(), TrustError>,
    ) -> Result<()> {
        let keys = self.signing.keys()?;
        let mut state = StateFile::open(&state_path()?)?;
        let bytes = read(&self.trust)?;
        let document = TrustDocument::reopen(&bytes, &keys[0].public(), &state.state);
        let document = document.with_context(|| format!("{} is not changed", self.trust.display()))?;
        let mut document = document.successor(world::now());
        change(&mut document)?;
        self.signing.publish(document, &keys, more, &self.trust, &mut state)
    }
}

impl Signing {
    /// The root keys named, at least one.
    fn keys(&self) -> Result<Vec<SigningKey>> {
        self.open(&self.root_keys)
    }

    fn open(&self, paths: &[PathBuf]) -> Result<Vec<SigningKey>> {
        paths.iter().map(|path| super::load(path, &self.passphrase)).collect()
    }

    /// Signs the document, checks it as any verifier would, and only then replaces the file.
    fn publish(
        &self,
        mut document: TrustDocument,
        keys: &[SigningKey],
        more: &[SigningKey],
        path: &Path,
        state: &mut StateFile,
    ) -> Result<()> {
        document.expires_at = self.expires_at.or(document.expires_at);
        let all: Vec<_> = keys.iter().chain(more).collect();
        let bytes = document.sign(&all)?.to_line()?;
        // Who holds the root's private key believes it.
        let own = keys[0].public();
        Trust::accept(&bytes, NamedRoot::Believed(&own), &mut state.state, Timestamp::now())?;
        durable::write_whole(path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
        state.save()?;
        eprintln!("wrote {}, version {}", path.display(), document.version);
        for key in &document.root.keys {
            outln!("{}", key.keyid());
        }
        Ok(())
    }
}

fn root_of(keys: &[SigningKey], threshold: u32) -> Root {
    Root { keys: keys.iter().map(SigningKey::public).collect(), threshold }
}

fn list(path: &Path, root_key: Option<&Path>) -> Result<()> {
    let bytes = read(path)?;
    let document = TrustDocument::read_unverified(&bytes)?;
    let root = root_key.map(PublicKey::load).transpose()?;
    let mut state = StateFile::open(&state_path()?)?;
    let root = root.as_ref().map_or(NamedRoot::Remembered, NamedRoot::Once);
    let verified = match Trust::accept(&bytes, root, &mut state.state, Timestamp::now()) {
        Ok(trust) => trust.source(),
        // Nobody said whom to believe: it is shown, and called what it is.
        Err(TrustError::UnknownRoot) => None,
        Err(error) => return Err(error).with_context(|| format!("{} is refused", path.display())),
    };
    state.save()?;
    show(&document, verified)
}

fn show(document: &TrustDocument, verified: Option<TrustSource>) -> Result<()> {
    match verified {
        Some(TrustSource { anchor, root: RootOrigin::Named, .. }) => {
            outln!("verified  yes, by the root that was named, first seen as {anchor}")
        }
        Some(TrustSource { anchor, .. }) => outln!("verified  yes, by the root remembered as {anchor}"),
        None => outln!("verified  NO: no root that is believed here signed this; name one with --root-key PUB"),
    }
    outln!("version   {}", document.version);
    outln!("issued    {}, says its signer", document.issued_at);
    outln!("expires   {}", document.expires_at.map_or_else(|| "never".to_owned(), |time| time.to_string()));
    outln!("root      {} of {} must sign", document.root.threshold, document.root.keys.len());
    for key in &document.root.keys {
        outln!("          {}", key.keyid());
    }
    for (role, name) in [(Role::Trainer, "trainer"), (Role::Verifier, "verifier")] {
        let keys: Vec<_> = document.keys.iter().filter(|key| key.role == role).collect();
        outln!("{name:<9} {} of {} must sign", document.thresholds.of(role), keys.len());
        for key in keys {
            outln!("          {}  {}{}", key.public_key.keyid(), key.name, bounds(key));
        }
    }
    Ok(())
}

/// What a key is bounded by, in words.
fn bounds(key: &TrustedKey) -> String {
    let times = [("from", key.not_before), ("until", key.not_after), ("revoked", key.revoked_at)];
    let times = times.into_iter().filter_map(|(word, time)| time.map(|time| format!(", {word} {time}")));
    let challenges = key.challenges.iter().map(|ids| format!(", only for {}", ids.join(", ")));
    times.chain(challenges).collect()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let hint = "name the document with --trust FILE; `spectramind keys trust init` begins one";
    let read = read_file(path).with_context(|| format!("cannot read {}", path.display()));
    read.map_err(|failure| if path.exists() { failure } else { failure.with_hint(hint) })
}

/// What was seen of trust documents, on this machine.
fn state_path() -> Result<PathBuf> {
    let directories = choose_base_strategy().context("the user's state directory cannot be found");
    let directories =
        directories.map_err(|failure| failure.with_hint("set HOME: what was seen of trust is kept there"))?;
    let folder = directories.state_dir().unwrap_or_else(|| directories.config_dir());
    Ok(folder.join("spectramind").join("trust-state.json"))
}

impl From<RoleArgument> for Role {
    fn from(role: RoleArgument) -> Self {
        match role {
            RoleArgument::Trainer => Self::Trainer,
            RoleArgument::Verifier => Self::Verifier,
        }
    }
}
