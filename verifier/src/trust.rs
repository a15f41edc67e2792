//! Whom to believe: `--key`, `--trust`, or the user's own key.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use etcetera::{BaseStrategy, choose_base_strategy};
use spectramind::manifest::dsse::EnvelopeError;
use spectramind::manifest::key::PublicKey;
use spectramind::manifest::trust::state::StateFile;
use spectramind::manifest::trust::{NamedRoot, Role, Trust, TrustError, TrustSource, read_file};
use spectramind::verify::Check;

/// Whom to believe.
#[derive(clap::Args)]
pub struct Arguments {
    /// Believe this public key (SPKI PEM, OpenSSH, minisign): `spectramind keys show --public` prints it
    #[arg(long, value_name = "PUB", conflicts_with = "trust")]
    key: Option<PathBuf>,
    /// Believe the keys of this signed trust document: `spectramind keys trust` makes one
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// The public root key that must vouch for the trust document, this time [default: those that were remembered]
    #[arg(long, value_name = "PUB", requires = "trust")]
    root_key: Option<PathBuf>,
    /// Believe this root for later documents, too, when no root is named
    #[arg(long, requires = "root_key")]
    remember_root: bool,
    /// What was seen of trust documents, so that no older one is believed [default: in the user's state directory]
    #[arg(long, value_name = "FILE", requires = "trust")]
    trust_state: Option<PathBuf>,
}

/// The keys that are believed.
pub struct Believed {
    /// The keys, or the check by which nobody is believed.
    pub trust: Result<Trust, Check>,
    /// The check that the trust document passed, if there is one.
    pub check: Option<Check>,
    /// Whether it is the user's own key: a self-check.
    pub is_self: bool,
}

impl Arguments {
    /// Reads the keys; a single one is believed in the given role.
    ///
    /// # Errors
    /// When a trust document is none, or what was seen of others cannot be read or written. A file that is not there is
    /// a check that could not be made, a document that is not to be believed one that failed.
    pub fn resolve(&self, role: Role) -> Result<Believed> {
        if let Some(path) = &self.trust {
            return self.document(path);
        }
        let (path, is_self) = match &self.key {
            Some(path) => (path.clone(), false),
            None => (own_key()?, true),
        };
        Ok(match PublicKey::load(&path) {
            Ok(key) => Believed { trust: Ok(Trust::of_key(key, role)), check: None, is_self },
            Err(error) if is_self => {
                nobody("signature", format!("{error}: say whom to believe with --key PUB.pem or --trust FILE"))
            }
            Err(error) => nobody("signature", chain(error)),
        })
    }

    fn document(&self, path: &Path) -> Result<Believed> {
        let bytes = match read_file(path) {
            Ok(bytes) => bytes,
            Err(error) => return Ok(nobody("trust", format!("{}: {error}", path.display()))),
        };
        let root = match self.root_key.as_deref().map(PublicKey::load).transpose() {
            Ok(root) => root,
            Err(error) => return Ok(nobody("trust", chain(error))),
        };
        let mut state =
            StateFile::open(&self.trust_state.clone().map_or_else(state_path, Ok)?).context(UNUSABLE_STATE)?;
        let mut check = Check::new("trust");
        let named = match &root {
            Some(root) if self.remember_root => NamedRoot::Believed(root),
            Some(root) => NamedRoot::Once(root),
            None => NamedRoot::Remembered,
        };
        match Trust::accept(&bytes, named, &mut state.state, now()) {
            Ok(trust) => {
                state.save().context(UNUSABLE_STATE)?;
                if let Some(source) = trust.source() {
                    check.note(format!("version {}, sha256 {}", source.version, source.sha256));
                    check.note(vouched(source, named));
                }
                Ok(Believed { trust: Ok(trust), check: Some(check), is_self: false })
            }
            Err(error @ TrustError::Envelope(EnvelopeError::Json(_))) => Err(error).with_context(|| {
                format!("{} is no signed trust document (`spectramind keys trust init` begins one)", path.display())
            }),
            Err(TrustError::UnknownRoot) => {
                check.fail(format!(
                    "{}: no root that was remembered here signed it: name one with --root-key PUB, and with \
                     --remember-root to have it believed from then on",
                    path.display()
                ));
                Ok(Believed { trust: Err(check), check: None, is_self: false })
            }
            Err(error) => {
                check.fail(format!("{}: {}", path.display(), chain(error)));
                Ok(Believed { trust: Err(check), check: None, is_self: false })
            }
        }
    }
}

/// Without a place to remember versions in, an old document with a key that was revoked since would pass.
const UNUSABLE_STATE: &str =
    "what was seen of trust documents cannot be kept; --trust-state FILE says where to, a regular file";

/// Which root vouched for a document, and why it was believed.
fn vouched(source: TrustSource, named: NamedRoot<'_>) -> String {
    let anchor = source.anchor;
    match named {
        NamedRoot::Remembered => {
            format!(
                "the root was not named now; it was remembered earlier as {anchor}, by --remember-root or as your own"
            )
        }
        NamedRoot::Once(_) => format!("vouched for by the root that was named, first seen as {anchor}: for this time"),
        NamedRoot::Believed(_) => {
            format!(
                "vouched for by the root that was named, first seen as {anchor}: remembered, and believed from now on"
            )
        }
    }
}

impl Believed {
    /// Believes a key as the trainer's beside that of a verifier, if one is named.
    pub fn with_trainer(self, trainer: Option<&Path>) -> Self {
        let Some(path) = trainer else { return self };
        let Ok(verifier) = &self.trust else { return self };
        let Some(verifier) = verifier.keys().first().map(|key| key.public_key) else { return self };
        match PublicKey::load(path) {
            Ok(trainer) => Self { trust: Ok(Trust::of_verifier_and_trainer(verifier, trainer)), ..self },
            Err(error) => nobody("signature", chain(error)),
        }
    }
}

fn nobody(check: &str, finding: String) -> Believed {
    let mut check = Check::new(check);
    check.not_checked(finding);
    Believed { trust: Err(check), check: None, is_self: false }
}

/// An error and its causes on one line.
fn chain(error: impl Into<anyhow::Error>) -> String {
    format!("{:#}", error.into())
}

/// The public half of the key that `spectramind train` makes on the first run.
fn own_key() -> Result<PathBuf> {
    let directories =
        choose_base_strategy().context("the user's config directory cannot be found; name the key with --key")?;
    Ok(directories.config_dir().join("spectramind").join("signing-key.pub.pem"))
}

/// What was seen of trust documents: the file that `spectramind keys trust` keeps, too.
fn state_path() -> Result<PathBuf> {
    let directories = choose_base_strategy().context("the user's state directory cannot be found; set HOME")?;
    let folder = directories.state_dir().unwrap_or_else(|| directories.config_dir());
    Ok(folder.join("spectramind").join("trust-state.json"))
}

/// The time that validity of keys is judged at.
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
