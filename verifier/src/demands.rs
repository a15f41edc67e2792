//! What is demanded of a run beside a good signature: `--expect-run`, `--expect-challenge`, `--nonce`, `--policy`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use jiff::Timestamp;
use spectramind::manifest::dsse::Profile;
use spectramind::manifest::trust::Trust;
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
    /// What must hold of the run, whatever it says of itself (schemas/policy.schema.json, examples/policy.yaml)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// What is demanded of a run, read.
pub struct Demands {
    expectation: Expectation,
    policy: Option<Result<Policy, Check>>,
}

impl DemandArguments {
    /// Reads the policy.
    ///
    /// # Errors
    /// When it is none; a file that is not there is a check that could not be made.
    pub fn read(&self) -> Result<Demands> {
        let policy = match &self.policy {
            None => None,
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
        Ok(Demands { expectation: Expectation { run, challenge, nonce }, policy })
    }
}

impl Demands {
    /// The run, if it is the one expected.
    pub fn expected(&self, run: VerifiedRun, signature: &mut Check) -> Option<VerifiedRun> {
        run.expect(&self.expectation, signature)
    }

    /// Judges the run by the policy, if there is one.
    pub fn judge(&self, run: &VerifiedRun, trust: &Trust, at: Timestamp, profile: Profile) -> Option<Check> {
        match self.policy.as_ref()? {
            Ok(policy) => {
                let verdict_signers = run.verdict_signers(trust, at, profile);
                Some(run.check_policy(policy, Evidence { at, verdict_signers }))
            }
            Err(check) => Some(check.clone()),
        }
    }
}
