//! Whom to believe: `--key`, `--trust`, or the user's own key.

use std::path::PathBuf;

use anyhow::{Context, Result};
use etcetera::{BaseStrategy, choose_base_strategy};
use spectramind::manifest::key::PublicKey;
use spectramind::manifest::trust::{Role, Trust};
use spectramind::verify::Check;

/// Whom to believe.
#[derive(clap::Args)]
pub struct Arguments {
    /// Believe this public key (SPKI PEM): `spectramind keys show --public` prints it
    #[arg(long, value_name = "PUB.pem", conflicts_with = "trust")]
    key: Option<PathBuf>,
    /// Believe the keys of this trust policy (schemas/trust-policy.schema.json)
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
}

/// The keys that are believed.
pub struct Believed {
    /// The policy, or the check that could not be made without one.
    pub trust: Result<Trust, Check>,
    /// Whether it is the user's own key: a self-check.
    pub is_self: bool,
}

impl Arguments {
    /// Reads the keys; a single one is believed in the given role.
    ///
    /// # Errors
    /// When a trust policy is not one; a file that is not there is a check that could not be made.
    pub fn resolve(&self, role: Role) -> Result<Believed> {
        if let Some(path) = &self.trust {
            let bytes = match std::fs::read(path) {
                Ok(bytes) => bytes,
                Err(error) => return Ok(nobody(format!("trust policy {}: {error}", path.display()))),
            };
            let trust = Trust::from_json(&bytes).with_context(|| format!("{} is no trust policy", path.display()))?;
            return Ok(Believed { trust: Ok(trust), is_self: false });
        }
        let (path, is_self) = match &self.key {
            Some(path) => (path.clone(), false),
            None => (own_key()?, true),
        };
        Ok(match PublicKey::load(&path) {
            Ok(key) => Believed { trust: Ok(Trust::of_key(key, role)), is_self },
            Err(error) if is_self => nobody(format!("{error}: say whom to believe with --key PUB.pem or --trust FILE")),
            Err(error) => nobody(format!("{:#}", anyhow::Error::from(error))),
        })
    }
}

fn nobody(finding: String) -> Believed {
    let mut check = Check::new("signature");
    check.not_checked(finding);
    Believed { trust: Err(check), is_self: false }
}

/// The public half of the key that `spectramind train` makes on the first run.
fn own_key() -> Result<PathBuf> {
    let directories = choose_base_strategy().context("the user's config directory cannot be found")?;
    Ok(directories.config_dir().join("spectramind").join("signing-key.pub.pem"))
}

/// The time that validity of keys is judged at.
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
