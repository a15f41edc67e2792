//! Judging a record by a policy: one finding for every rule.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::super::{Check, VerifiedRun};
use super::{DvcRule, GitRules, MaxAge, NumericsRules, Policy, PolicyFile, ProbeRule, RoleRules};
use crate::envelope::{Verdict as LimitVerdict, judge};
use crate::manifest::predicate::{DataRecord, DvcRecord, TrainingRun};
use crate::manifest::timestamp::UtcTime;
use crate::provenance::git::GitRecord;

/// What a policy is judged by beside the record; none of it comes from the run.
#[derive(Debug, Clone, Copy)]
pub struct Evidence {
    /// The time by the verifier's clock.
    pub at: Timestamp,
    /// How many trusted verifiers signed a verified verdict about this manifest; `None` when no verdict was verified.
    pub verdict_signers: Option<u32>,
}

impl VerifiedRun {
    /// Judges what the record says by `policy`.
    pub fn check_policy(&self, policy: &Policy, evidence: Evidence) -> Check {
        judge_claim(policy, self.claim(), self.manifest().signers().len() as u32, evidence)
    }
}

/// Judges a claim that `trainers` trusted keys signed.
pub(super) fn judge_claim(policy: &Policy, claim: &TrainingRun, trainers: u32, evidence: Evidence) -> Check {
    let mut check = Check::new("policy");
    let PolicyFile { git, numerics, envelope, roles, max_age, challenge, exit, probe, metrics, data } = policy.rules();
    judge_git(git, claim.git.as_ref(), &mut check);
    judge_numerics(numerics, claim, &mut check);
    if let Some(rule) = envelope {
        for finding in judge(&rule.bounds(), &(&claim.envelope.figures).into()) {
            match finding.verdict {
                LimitVerdict::Within => check.note(format!("envelope: {finding}")),
                LimitVerdict::Exceeded => check.fail(format!("envelope: {finding}")),
                LimitVerdict::NotMeasured => check.not_checked(format!("envelope: {finding}")),
            }
        }
    }
    judge_roles(roles, trainers, evidence.verdict_signers, &mut check);
    if let Some(age) = max_age {
        judge_age(age, claim.finished_at, evidence.at, &mut check);
    }
    if let Some(expected) = challenge {
        let got = &claim.run.challenge;
        let shown = got.as_ref().map_or("none".to_owned(), |got| format!("{got:?}"));
        rule(&mut check, "challenge", got.as_ref() == Some(expected), &format!("{expected:?}"), &shown);
    }
    if let Some(allowed) = exit {
        let reason = claim.exit.reason;
        rule(&mut check, "exit", allowed.contains(&reason), &names(allowed), &name(&reason));
    }
    if let Some(ProbeRule::Required) = probe {
        let outcome = claim.device.probe.as_ref().map(|probe| probe.passed);
        let got = match outcome {
            Some(true) => "passed",
            Some(false) => "a failed one",
            None => "none",
        };
        rule(&mut check, "probe", outcome == Some(true), "a passed numerics probe of the device", got);
    }
    for (metric, range) in metrics {
        let name = format!("metrics.{metric}");
        match claim.metrics.iter().find(|recorded| recorded.name == *metric) {
            Some(recorded) => {
                let value = recorded.value.get();
                let within = range.min.is_none_or(|min| value >= min) && range.max.is_none_or(|max| value <= max);
                rule(&mut check, &name, within, &range.to_string(), &value.to_string());
            }
            None => {
                let recorded: Vec<_> = claim.metrics.iter().map(|metric| metric.name.as_str()).collect();
                check.not_checked(format!("{name}: expected {range}, the record has {}", recorded.join(", ")));
            }
        }
    }
    if data.dvc == Some(DvcRule::Matched) {
        judge_dvc(&claim.data, &mut check);
    }
    check
}

fn judge_git(rules: &GitRules, git: Option<&GitRecord>, check: &mut Check) {
    const OUTSIDE: &str = "the run was made outside a git repository";
    if rules.required {
        let got = git.map_or("none".to_owned(), |git| format!("commit {}", git.commit.as_str()));
        rule(check, "git.required", git.is_some(), "a git repository", &got);
    }
    if rules.clean {
        match git {
            Some(git) => {
                let got = if git.clean { "clean" } else { "one with uncommitted changes" };
                rule(check, "git.clean", git.clean, "a clean work tree", got);
            }
            None => check.not_checked(format!("git.clean: {OUTSIDE}")),
        }
    }
    if let Some(allowed) = &rules.remotes {
        match git {
            Some(git) => judge_remotes(allowed, &remotes(git), check),
            None => check.not_checked(format!("git.remotes: {OUTSIDE}")),
        }
    }
}

/// The URLs of the recorded remotes; one whose URL is withheld is no allowed one.
fn remotes(git: &GitRecord) -> Vec<&str> {
    git.remotes.iter().map(|remote| remote.url.as_deref().unwrap_or("(a URL that is not recorded)")).collect()
}

pub(super) fn judge_remotes(allowed: &[String], remotes: &[&str], check: &mut Check) {
    let is_allowed = |url: &&str| allowed.iter().any(|allowed| allows(allowed, url));
    let refused: Vec<_> = remotes.iter().copied().filter(|url| !is_allowed(url)).collect();
    let (got, holds) = match (remotes, refused.as_slice()) {
        ([], _) => ("no remote".to_owned(), false),
        (all, []) => (all.join(", "), true),
        (_, refused) => (refused.join(", "), false),
    };
    rule(check, "git.remotes", holds, &format!("only {}", allowed.join(", ")), &got);
}

/// Whether an entry of the policy allows a URL.
fn allows(allowed: &str, url: &str) -> bool {
    if !allowed.ends_with(['/', ':']) {
        return allowed == url;
    }
    let Some(rest) = url.strip_prefix(allowed) else { return false };
    // `https://example.org/team/../somebody-else/x` begins with the right letters and leads elsewhere, and so it does
    // with its dots percent-encoded or its slash turned.
    !rest.split(['/', '\\']).any(|part| matches!(part.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | ".."))
        && !rest.to_ascii_lowercase().contains("%2f")
}

fn judge_numerics(rules: &NumericsRules, claim: &TrainingRun, check: &mut Check) {
    let numerics = &claim.numerics;
    if let Some(least) = rules.min_version {
        let holds = numerics.version >= least;
        rule(check, "numerics.min_version", holds, &format!("version {least} or later"), &numerics.version.to_string());
    }
    if let Some(allowed) = &rules.profiles {
        let holds = allowed.contains(&numerics.profile);
        rule(check, "numerics.profiles", holds, &names(allowed), &name(&numerics.profile));
    }
    if let Some(allowed) = &rules.precision {
        let allowed: Vec<_> = allowed.iter().map(|allowed| allowed.0).collect();
        let holds = allowed.contains(&numerics.precision);
        rule(check, "numerics.precision", holds, &names(&allowed), &name(&numerics.precision));
    }
}

fn judge_roles(rules: &RoleRules, trainers: u32, verifiers: Option<u32>, check: &mut Check) {
    let expected = |count| format!("{count} trusted keys");
    if let Some(least) = rules.trainer {
        rule(check, "roles.trainer", trainers >= least, &expected(least), &trainers.to_string());
    }
    if let Some(least) = rules.verifier {
        match verifiers {
            Some(got) => rule(check, "roles.verifier", got >= least, &expected(least), &got.to_string()),
            None => {
                let expected = expected(least);
                check.not_checked(format!("roles.verifier: expected {expected}, no verdict was verified"));
            }
        }
    }
}

fn judge_age(age: &MaxAge, finished_at: UtcTime, at: Timestamp, check: &mut Check) {
    let ended = format!("an end at {finished_at} (self-asserted)");
    if finished_at.0 > at {
        let now = UtcTime(at);
        return check.fail(format!("max_age: expected an end before {now}, which is now, got {ended}"));
    }
    match at.to_zoned(TimeZone::UTC).checked_sub(age.0) {
        Ok(first) => {
            let first = first.timestamp();
            let expected = format!("an end at {} or later ({age})", UtcTime(first));
            rule(check, "max_age", finished_at.0 >= first, &expected, &ended);
        }
        Err(error) => check.not_checked(format!("max_age: {age} before {}: {error}", UtcTime(at))),
    }
}

fn judge_dvc(data: &[DataRecord], check: &mut Check) {
    // Calibrated data are the run's own making: they stand under no version control, and a replay makes them again.
    let is_made = |record: &&DataRecord| {
        let raw = record.name.strip_suffix("-calibrated");
        raw.is_some_and(|raw| data.iter().any(|other| other.name == raw))
    };
    for record in data.iter().filter(|record| !is_made(record)) {
        let name = format!("data.dvc: data set {}", record.name);
        match &record.dvc {
            Some(DvcRecord { outputs, differing: 0, .. }) => {
                check.note(format!("{name}: {outputs} outputs, as DVC's files say"));
            }
            Some(DvcRecord { outputs, differing, .. }) => {
                check.fail(format!(
                    "{name}: expected what DVC's files say, got {differing} of {outputs} outputs otherwise"
                ));
            }
            None => check.not_checked(format!("{name}: no file of DVC's says anything of it")),
        }
    }
    if data.is_empty() {
        check.not_checked("data.dvc: the record names no data".into());
    }
}

/// One rule that could be judged.
fn rule(check: &mut Check, name: &str, holds: bool, expected: &str, got: &str) {
    if holds {
        check.note(format!("{name}: {got}"));
    } else {
        check.fail(format!("{name}: expected {expected}, got {got}"));
    }
}

/// What a policy file calls a value.
fn name(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("a variant is written as its name, got {other:?}"),
    }
}

fn names(values: &[impl Serialize]) -> String {
    values.iter().map(name).collect::<Vec<_>>().join(" or ")
}
