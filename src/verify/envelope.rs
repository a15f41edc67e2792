//! The limits: were they kept, by the trainer's own figures? Can they be, by a config that nothing was run by yet?

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Check, VerifiedRun, chain};
use crate::config::Config;
use crate::envelope::{Bounds, NetworkMode, NetworkRule, Verdict as LimitVerdict, judge};
use crate::manifest::predicate::{StretchRecord, WorkerRecord};
use crate::manifest::strict_json::ExactF64;
use crate::manifest::verdict::TrainingReplay;
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

/// How far a time that is carried over from another machine may be off: two programs of which one is twice as fast as the other here are
/// rarely as slow as each other there, and seldom further apart.
const LENIENCE: f64 = 2.0;
/// Seconds for what no computation tells: starting, data that are made again, a machine that is busy for a moment.
const ALLOWANCE: f64 = 60.0;

impl VerifiedRun {
    /// Judges how long training again took here, carried over to the device of the run by how long the same computation takes on both;
    /// none where nothing limits the time of the run.
    pub fn check_time(&self, replay: &TrainingReplay, bounds: Option<&Bounds>) -> Option<Check> {
        let (training, envelope) = (self.claim().training()?, &self.claim().envelope);
        let limit = bounds.map_or(envelope.bounds.wall_seconds.map(|limit| limit.0), |bounds| bounds.wall_seconds)?;
        let mut check = Check::new("time");
        let Some(there) = training.reference_seconds.map(ExactF64::get) else {
            check.not_checked("the record does not say how long the computation for comparing devices took".into());
            return Some(check);
        };
        let (took, here) = (replay.seconds.get(), replay.reference_seconds.get());
        if there <= 0.0 {
            check.fail(format!("the computation for comparing devices: expected more than 0 s there, got {there} s"));
            return Some(check);
        }
        if here <= 0.0 {
            check.not_checked(
                "the clock here does not tell how long the computation for comparing devices takes".into(),
            );
            return Some(check);
        }
        let stretches = StretchRecord::of(&training.device, &training.stretches);
        let devices = stretches.iter().map(|stretch| devices(&stretch.workers)).max().unwrap_or(1).max(1);
        let carried = took * (there / here) / devices as f64;
        let by = match devices {
            1 => String::new(),
            devices => format!(", divided by its {devices} devices"),
        };
        check.note(format!(
            "training again took {took:.1} s here, which comes to {carried:.1} s there{by}: the computation for comparing devices took \
             {:.3} ms there (self-asserted) and {:.3} ms here; the run says {:.1} s in all (self-asserted)",
            there * 1e3,
            here * 1e3,
            envelope.figures.wall_seconds.get()
        ));
        let most = LENIENCE * limit as f64 + ALLOWANCE;
        let bound = format!("{most} s, {LENIENCE} times the limit of {limit} s and a minute");
        match carried <= most {
            true => check.note(format!("within {bound}: no closer is such a comparison")),
            false => check.fail(format!("expected within {bound}, got {carried:.1} s")),
        }
        Some(check)
    }
}

/// How many devices workers have: those that share a host's processor have one.
fn devices(workers: &[WorkerRecord]) -> usize {
    let (shared, own): (Vec<_>, Vec<_>) = workers.iter().partition(|worker| worker.device.accelerator == "cpu");
    own.len() + shared.iter().map(|worker| &worker.host).collect::<BTreeSet<_>>().len()
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
