//! The limits: were they kept, by the trainer's own figures? Can they be, by a config that nothing was run by yet?

use serde::Deserialize;

use super::{Check, VerifiedRun, chain};
use crate::config::Config;
use crate::envelope::{Bounds, NetworkMode, NetworkRule, Verdict as LimitVerdict, judge};
use crate::wall_time::WallTime;

impl VerifiedRun {
    /// Whether the run claims to have kept any limit. A command may be run without: there is then nothing to judge by, and
    /// nothing that could pass.
    pub fn claims_limits(&self) -> bool {
        let record = &self.claim().envelope;
        !judge(&Bounds::from(&record.bounds), &(&record.figures).into()).is_empty()
    }

    /// Judges the recorded figures by `bounds`, or by the bounds the run itself claims to have kept.
    pub fn check_envelope(&self, bounds: Option<&Bounds>) -> Check {
        let mut check = Check::new("envelope");
        let record = &self.claim().envelope;
        let recorded = Bounds::from(&record.bounds);
        let findings = judge(bounds.unwrap_or(&recorded), &(&record.figures).into());
        if findings.is_empty() {
            check.not_checked("the run claims no limits: judge it by Kaggle's with --kaggle".into());
        }
        for finding in findings {
            match finding.verdict {
                LimitVerdict::Within => check.note(finding.to_string()),
                LimitVerdict::Exceeded => check.fail(finding.to_string()),
                LimitVerdict::NotMeasured => check.not_checked(finding.to_string()),
            }
        }
        check
    }
}

/// What a config says of its limits: that of a training, or of a command.
#[derive(Deserialize)]
struct Plan {
    envelope: Option<Envelope>,
    trainer: Option<Trainer>,
    #[serde(default)]
    command: Command,
}

#[derive(Deserialize)]
struct Envelope {
    wall_seconds: Option<u64>,
    device_memory_bytes: Option<u64>,
    network: NetworkRule,
}

#[derive(Deserialize)]
struct Trainer {
    max_time: Option<WallTime>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Command {
    wall_seconds: Option<u64>,
    network: Option<NetworkRule>,
}

/// Judges what a config plans, before anything is run by it: by `bounds`, or by its own limits. What a run then uses, only the run
/// shows.
pub fn check_plan(config: &Config, bounds: Option<&Bounds>) -> Check {
    let mut check = Check::new("envelope");
    match config.extract::<Plan>() {
        Ok(plan) => plan.judge(bounds, &mut check),
        Err(error) => check.not_checked(format!("the config: {}", chain(&error))),
    }
    check
}

impl Plan {
    fn judge(self, bounds: Option<&Bounds>, check: &mut Check) {
        let max_time = self.trainer.and_then(|trainer| trainer.max_time).map(|time| time.0.as_secs());
        let (keys, own) = match self.envelope {
            Some(Envelope { wall_seconds, device_memory_bytes, network }) => {
                ("envelope", (wall_seconds, device_memory_bytes, network))
            }
            None => {
                let network = self.command.network.unwrap_or(NetworkRule::Unrestricted);
                ("command", (self.command.wall_seconds, None, network))
            }
        };
        let (wall, memory, network) = own;
        let recorded = Bounds { wall_seconds: wall, device_memory_bytes: memory, network: network.bound() };
        let limits = bounds.unwrap_or(&recorded);
        if *limits == (Bounds { wall_seconds: None, device_memory_bytes: None, network: NetworkMode::Unrestricted }) {
            return check.not_checked("the config sets no limits: judge it by Kaggle's with --kaggle".into());
        }
        if let Some(limit) = limits.wall_seconds {
            within(check, &format!("{keys}.wall_seconds"), "s", wall, limit);
            match max_time {
                Some(max_time) if max_time > limit => {
                    check.fail(format!("trainer.max_time: expected within {limit} s, got {max_time} s"));
                }
                Some(max_time) => check.note(format!("trainer.max_time: within {limit} s, {max_time} s")),
                None => {}
            }
        }
        if let Some(limit) = limits.device_memory_bytes {
            within(check, &format!("{keys}.device_memory_bytes"), "bytes", memory, limit);
            check.note("how much memory is used, a run shows".into());
        }
        let got = match network {
            NetworkRule::Deny => "deny: the kernel refuses it, or the run does not begin",
            NetworkRule::Observe | NetworkRule::None => "observe: nothing keeps it away",
            NetworkRule::Unrestricted => "unrestricted",
        };
        let is_kept = match limits.network {
            NetworkMode::Unrestricted => true,
            NetworkMode::None => network != NetworkRule::Unrestricted,
            NetworkMode::Denied => network == NetworkRule::Deny,
        };
        match is_kept {
            true => check.note(format!("{keys}.network: {got}")),
            false => check.fail(format!("{keys}.network: expected within {}, got {got}", limits.network)),
        }
    }
}

/// Whether the config holds its run to a limit at least as tight.
fn within(check: &mut Check, key: &str, unit: &str, got: Option<u64>, limit: u64) {
    match got {
        Some(got) if got <= limit => check.note(format!("{key}: within {limit} {unit}, {got} {unit}")),
        Some(got) => check.fail(format!("{key}: expected within {limit} {unit}, got {got} {unit}")),
        None => check.fail(format!("{key}: expected within {limit} {unit}, got none")),
    }
}
