//! What is demanded of a run beside a good signature: `--expect-run`, `--expect-challenge`, `--nonce`, `--commitment`,
//! `--policy`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;
use spectramind::config::Config;
use spectramind::foreign::read_named;
use spectramind::manifest::dsse::{MAX_BUNDLE_BYTES, Profile};
use spectramind::manifest::trust::Trust;
use spectramind::manifest::verified::{VerifiedCommitment, verify_commitment};
use spectramind::verify::{Check, Evidence, Expectation, Policy, VerifiedRun};

/// What is demanded of a run.
#[derive(clap::Args)]
pub struct DemandArguments {
    /// The manifest must be of the run with this id
    #[arg(long, value_name = "ID")]
    expect_run: Option<String>,
    /// The manifest must be of a run made for this challenge
    #[arg(long, value_name = "ID")]
    expect_challenge: Option<String>,
    /// The nonce that you handed out must be signed with the run
    #[arg(long)]
    nonce: Option<String>,
    /// The run must be the one that this file committed to (`spectramind commit`); it shows that the config was chosen
    /// before the run only if you received it before the run
    #[arg(long, value_name = "FILE")]
    commitment: Option<PathBuf>,
    /// What must hold of the run, whatever it says of itself: a file (schemas/policy.schema.json, examples/policy.yaml), or
    /// `leaderboard` (policies/leaderboard.yaml); a file of that name is ./leaderboard
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// What the other checks of a run found, as far as demands are judged by it.
pub struct Found<'a> {
    /// The signed config, if it was composed here.
    pub config: Option<&'a Config>,
    /// Whether the whole run was trained again here, and that passed.
    pub replayed: bool,
    /// The composed config files that the commit does not hold.
    pub configs_not_held: &'a [String],
}

/// What is demanded of a run, read.
pub struct Demands {
    expectation: Expectation,
    /// The bytes of the commitment: whom it has to be signed by is not known yet.
    commitment: Option<Result<(PathBuf, Vec<u8>), Check>>,
    policy: Option<Result<Policy, Check>>,
}

impl DemandArguments {
    /// Reads the policy and the commitment.
    ///
    /// # Errors
    /// When the policy is none; a file that is not there is a check that could not be made.
    pub fn read(&self) -> Result<Demands> {
        let built_in = |path: &PathBuf| Policy::built_in(path.to_str()?);
        let policy = match &self.policy {
            None => None,
            Some(path) if built_in(path).is_some() => built_in(path).map(Ok),
            Some(path) => Some(match std::fs::read_to_string(path) {
                Ok(text) => {
                    let file = path.display().to_string();
                    Ok(Policy::from_yaml(&text, &file).with_context(|| format!("{file} is no policy"))?)
                }
                Err(error) => {
                    let mut check = Check::new("policy");
                    check.not_checked_at(path, format!("{}: {error}", path.display()));
                    Err(check)
                }
            }),
        };
        let [run, challenge, nonce] = [&self.expect_run, &self.expect_challenge, &self.nonce].map(Clone::clone);
        let commitment = self.commitment.as_ref().map(|path| match read_named(path, MAX_BUNDLE_BYTES as u64) {
            Ok(bytes) => Ok((path.clone(), bytes)),
            Err(error) => {
                let mut check = Check::new("commitment");
                check.not_checked_at(path, error.to_string());
                Err(check)
            }
        });
        Ok(Demands { expectation: Expectation { run, challenge, nonce }, commitment, policy })
    }
}

impl Demands {
    /// The run, if it is the one expected.
    pub fn expected(&self, run: VerifiedRun, signature: &mut Check) -> Option<VerifiedRun> {
        run.expect(&self.expectation, signature)
    }

    /// Judges the run by the commitment and by the policy, as far as there are any.
    pub fn judge(
        &self,
        run: &VerifiedRun,
        trust: &Trust,
        at: Timestamp,
        profile: Profile,
        found: &Found<'_>,
    ) -> Vec<Check> {
        let Found { config, replayed, configs_not_held } = *found;
        let mut checks = Vec::new();
        let mut received = None;
        match &self.commitment {
            Some(Ok((path, bytes))) => match committed(path, bytes, trust, at) {
                Ok(commitment) => {
                    checks.push(run.check_commitment(&commitment, config));
                    received = Some(commitment);
                }
                Err(check) => checks.push(check),
            },
            Some(Err(check)) => checks.push(check.clone()),
            None => {}
        }
        match &self.policy {
            Some(Ok(policy)) => {
                let evidence = Evidence {
                    at,
                    verifiers: run.verifiers(trust, at, profile),
                    config,
                    replayed,
                    configs_not_held,
                    commitment: received.as_ref(),
                    nonce_expected: self.expectation.nonce.is_some(),
                };
                checks.push(run.check_policy(policy, &evidence));
            }
            Some(Err(check)) => checks.push(check.clone()),
            None => {}
        }
        checks
    }
}

/// The commitment, if it is one by somebody who is trusted as a trainer. In the strict profile whatever is asked for the
/// manifest: nothing but `spectramind commit` writes them.
fn committed(path: &Path, bytes: &[u8], trust: &Trust, at: Timestamp) -> Result<VerifiedCommitment, Check> {
    verify_commitment(bytes, trust, at, Profile::Strict).map_err(|error| {
        let mut check = Check::new("commitment");
        check.fail_at(path, format!("{}: {:#}", path.display(), anyhow::Error::new(error)));
        check
    })
}
