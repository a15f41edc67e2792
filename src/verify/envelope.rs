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

/// The limits of a training, as far as they are judged.
#[derive(Deserialize)]
pub(super) struct Envelope {
    pub(super) wall_seconds: Option<u64>,
    pub(super) device_memory_bytes: Option<u64>,
    #[serde(default)]
    pub(super) host_memory_bytes: Option<u64>,
    pub(super) network: NetworkRule,
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
        let (keys, network, own) = match self.envelope {
            Some(Envelope { wall_seconds, device_memory_bytes, host_memory_bytes, network }) => (
                "envelope",
                network,
                Bounds { wall_seconds, device_memory_bytes, host_memory_bytes, network: network.bound() },
            ),
            None => {
                let (wall_seconds, network) = (self.command.wall_seconds, self.command.network);
                let network = network.unwrap_or(NetworkRule::Unrestricted);
                ("command", network, Bounds { wall_seconds, network: network.bound(), ..Bounds::NONE })
            }
        };
        let limits = bounds.unwrap_or(&own);
        if *limits == Bounds::NONE {
            return check.not_checked("the config sets no limits: judge it by Kaggle's with --kaggle".into());
        }
        for (key, unit, own, limit) in [
            ("wall_seconds", "s", own.wall_seconds, limits.wall_seconds),
            ("device_memory_bytes", "bytes", own.device_memory_bytes, limits.device_memory_bytes),
            ("host_memory_bytes", "bytes", own.host_memory_bytes, limits.host_memory_bytes),
        ] {
            let Some(limit) = limit else { continue };
            match own {
                Some(own) if own <= limit => check.note(format!("{keys}.{key}: within {limit} {unit}, {own} {unit}")),
                Some(own) => check.fail(format!("{keys}.{key}: expected within {limit} {unit}, got {own} {unit}")),
                None => check.fail(format!("{keys}.{key}: expected within {limit} {unit}, got none")),
            }
        }
        if let (Some(limit), Some(max_time)) = (limits.wall_seconds, max_time) {
            match max_time > limit {
                true => check.fail(format!("trainer.max_time: expected within {limit} s, got {max_time} s")),
                false => check.note(format!("trainer.max_time: within {limit} s, {max_time} s")),
            }
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
        check.note("how much memory is used, only a run shows".into());
    }
}
