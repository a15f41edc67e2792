//! Signing what an audit found: the verifier's own claim about somebody else's run.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use spectramind::durable::write_whole;
use spectramind::manifest::key::{Passphrase, SigningKey};
use spectramind::manifest::timestamp::UtcTime;
use spectramind::manifest::verdict::ReplayRecord;
use spectramind::verify::{Audit, Report, VERDICT, VerifiedRun};
use zeroize::Zeroizing;

use crate::trust;

// Not `Arguments`: clap names a group after the struct, and an audit flattens those of `trust`, too.
/// Whether to sign, and where to.
#[derive(clap::Args)]
pub struct Signing {
    /// Sign the verdict with this key (PKCS#8 PEM, mode 0600), which must not be one that signed the run
    #[arg(long, value_name = "KEY.pem")]
    sign: Option<PathBuf>,
    /// Where to write the signed verdict [default: verdict.intoto.jsonl in the run directory]
    #[arg(long, value_name = "FILE", requires = "sign")]
    verdict_out: Option<PathBuf>,
    /// Read the passphrase of an encrypted key from this file (mode 0600) [default: the environment variable
    /// SPECTRAMIND_PASSPHRASE]
    #[arg(long, value_name = "FILE", requires = "sign")]
    passphrase_file: Option<PathBuf>,
}

/// Where the passphrase of an encrypted key is looked for when no file is named. There is no prompt: audits run where
/// nobody sits.
const PASSPHRASE_VARIABLE: &str = "SPECTRAMIND_PASSPHRASE";

/// A key that may sign a verdict on the run, where that goes, and when the checks began.
pub struct Signer {
    key: SigningKey,
    out: PathBuf,
    started_at: UtcTime,
}

impl Signing {
    /// Loads the key, and refuses one that signed the run before anything is checked for nothing.
    ///
    /// # Errors
    /// When the key cannot be read or signed the run.
    pub fn signer(&self, run: &VerifiedRun) -> Result<Option<Signer>> {
        let Some(path) = &self.sign else { return Ok(None) };
        let key = SigningKey::load_with(path, || self.passphrase())?;
        run.check_verifier(&key).with_context(|| format!("--sign {}", path.display()))?;
        let out = self.verdict_out.clone().unwrap_or_else(|| run.root().join(VERDICT));
        Ok(Some(Signer { key, out, started_at: now() }))
    }

    fn passphrase(&self) -> Result<Passphrase> {
        if let Some(path) = &self.passphrase_file {
            return Ok(Passphrase::load(path)?);
        }
        let Some(value) = std::env::var_os(PASSPHRASE_VARIABLE) else {
            bail!("the key is encrypted: name its passphrase with --passphrase-file FILE or {PASSPHRASE_VARIABLE}");
        };
        let text = value.into_string().map_err(|_| anyhow!("{PASSPHRASE_VARIABLE} is not UTF-8"))?;
        Ok(Passphrase::new(Zeroizing::new(text))?)
    }

    /// Says that nothing is signed where no trusted key vouches for the manifest: there is nothing a verdict could
    /// name.
    pub fn warn_unsigned(&self) {
        if self.sign.is_some() {
            eprintln!("Warning: no verdict is signed: nobody trusted signed this manifest");
        }
    }
}

impl Signer {
    /// Signs the report and writes the verdict, whatever it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn sign(self, run: &VerifiedRun, report: &Report, replay: Option<ReplayRecord>) -> Result<()> {
        let audit = Audit { run, report, replay, started_at: self.started_at, finished_at: now() };
        let bundle = audit.sign(&self.key)?;
        write_whole(&self.out, &bundle).with_context(|| {
            format!("cannot write the verdict to {}; choose a place with --verdict-out", self.out.display())
        })?;
        eprintln!("wrote {}", self.out.display());
        Ok(())
    }
}

/// The verifier's clock, to the second.
fn now() -> UtcTime {
    let now = trust::now();
    UtcTime(jiff::Timestamp::from_second(now.as_second()).unwrap_or(now))
}
