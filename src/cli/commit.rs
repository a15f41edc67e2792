//! `spectramind commit`: signs what a run will be made with before it is made.

use std::path::{Path, PathBuf};

use crate::config::{Composer, Config};
use crate::durable;
use crate::failure::{Context, Failure, Result};
use crate::manifest::commitment::{CommittedConfig, CommittedSources, ConfigCommitment, subject};
use crate::manifest::predicate::ConfigRecord;
use crate::manifest::statement::Statement;
use crate::manifest::strict_json::DecimalU64;
use crate::provenance::environment::BuiltFrom;
use crate::provenance::git;
use crate::run::{self, Workloads};
use crate::workload::RunSettings;

use crate::cli::compose::{self, warned};
use crate::cli::job::{DirectoryKeys, Job, Mode};
use crate::cli::output::outln;
use crate::cli::{keys, passphrase, world};

/// Sign the config of a training run before the run: a commitment, or pre-registration
///
/// Composes what `spectramind train` with the same overrides composes, trains nothing, and signs the digest of it. Hand the
/// file to whoever will check the run before you train: `spectramind-verify … --commitment FILE` then shows that the run was
/// made with this config and no other. Every key counts: give record.nonce, record.challenge and run.dir here as you will
/// give them to `train`. A config with `${now:…}` is another one at any other time.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: compose::Selection,
    /// Where to write the commitment; never over a file that is there
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Sign with this key (PKCS#8 PEM, mode 0600), which will sign the run, too [default: your own, made on first use]
    #[arg(long, value_name = "FILE", env = "SPECTRAMIND_SIGNING_KEY")]
    signing_key: Option<PathBuf>,
    #[command(flatten)]
    passphrase: passphrase::Arguments,
}

/// The command whose config is committed to.
const COMMAND: &str = "train";

/// Composes, signs and writes.
pub fn run(arguments: &Arguments, workloads: &Workloads) -> Result<()> {
    let Arguments { selection, out, signing_key, passphrase } = arguments;
    if out.symlink_metadata().is_ok() {
        let message = format!("{} exists already: a commitment is never written over another", out.display());
        return Err(Failure::usage(message, "name another --out"));
    }
    let composer = selection.composer(COMMAND)?;
    let name = selection.primary(COMMAND);
    let overrides = match Mode::of(&composer, name, &selection.overrides, false)? {
        Mode::Run { overrides } => overrides,
        Mode::Multirun { .. } => {
            let message = "hydra.mode: expected a single run, got a multirun";
            return Err(Failure::usage(message, "commit to the config of each of its runs"));
        }
    };
    let job = Job::single(warned(composer.compose(name, &overrides)?), DirectoryKeys::of(COMMAND))?;
    let composed = job.config();
    // What `train` would refuse is nothing to commit to.
    let RunSettings { record, trainer, .. } = workloads.of(composed)?.settings(composed)?;
    let (challenge, seed) = (record.challenge, DecimalU64(trainer.seed));
    warn_of_time(composed, &composer, name, &overrides)?;
    let ConfigRecord { name, digest, choices, overrides, hydra_overrides, composed_at, utc_offset_seconds, .. } =
        run::config_record(composed, composed.config_name().unwrap_or(COMMAND))?;
    let commitment = ConfigCommitment {
        config: CommittedConfig { name, digest, choices, overrides, hydra_overrides, composed_at, utc_offset_seconds },
        challenge,
        seed,
        git: git::read(Path::new("."), &[])?.as_ref().map(CommittedSources::from),
        built_from: BuiltFrom::own(),
        made_at: world::now(),
    };
    let statement = Statement::new(vec![subject(composed)?], commitment)?;
    let key = keys::for_signing(signing_key.as_deref(), passphrase)?;
    let line = run::signed_line(&statement, &key)?;
    durable::write_whole(out, &line).with_context(|| format!("cannot write {}", out.display()))?;
    eprintln!("wrote {}: hand it to whoever will check the run before you train", out.display());
    outln!("config     {digest}");
    outln!("signed by  {}", key.public().keyid());
    Ok(())
}

/// Says so when the run, at another time, will have another config than is committed to.
fn warn_of_time(composed: &Config, composer: &Composer, name: &str, overrides: &[String]) -> Result<()> {
    // Every part of the time is another one then.
    let step = jiff::Span::new().years(1).months(1).days(1).hours(1).minutes(1).seconds(1);
    let Some(later) = composed.now().and_then(|now| now.checked_add(step).ok()) else { return Ok(()) };
    let mut then = composer.clone().now(later).compose(name, overrides)?;
    then.enter_job(None)?;
    if then.digest()? != composed.digest()? {
        eprintln!("Warning: the config shows the time (${{now:…}}): that of a run at another time is not committed to");
    }
    Ok(())
}
