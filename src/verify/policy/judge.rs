//! Judging a record by a policy: one finding for every rule.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::super::commitment::{composed_as, faults};
use super::super::{Check, VerifiedRun, Verifiers};
use super::{
    ConfigValue, DataRules, Demand, DvcRule, GitRules, HeldOutRules, MaxAge, MetricRange, NumericsRules, Policy,
    PolicyFile, ProgramRules, RoleRules,
};
use crate::config::Config;
use crate::envelope::{Verdict as LimitVerdict, judge};
use crate::manifest::predicate::{DataRecord, DataRole, DeviceRecord, DvcRecord, TrainingRun};
use crate::manifest::timestamp::UtcTime;
use crate::manifest::verified::{Signer, VerifiedCommitment};
use crate::provenance::environment::BuiltFrom;
use crate::provenance::git::GitRecord;

/// What a policy is judged by beside the record; none of it is the trainer's word. It has no default, so that whoever
/// judges says of each piece what they have.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    /// The time by the verifier's clock.
    pub at: Timestamp,
    /// What trusted verifiers signed about this manifest: [`VerifiedRun::verifiers`].
    pub verifiers: Verifiers,
    /// The config as the checker composed it from their own files; `None` when they did not.
    pub config: Option<&'a Config>,
    /// Whether the checker trained the whole run again just now, and that passed.
    pub replayed: bool,
    /// The composed config files that, as the checker found, the recorded commit does not hold; empty also when nobody
    /// looked, which the check `git` is there for.
    pub configs_not_held: &'a [String],
    /// The verified commitment that the checker says they received before the run; `None` when they have none.
    pub commitment: Option<&'a VerifiedCommitment>,
    /// Whether the checker gave the nonce that they had handed out, and it is the one that was signed:
    /// [`VerifiedRun::expect`].
    pub nonce_expected: bool,
}

impl VerifiedRun {
    /// Judges what the record says by `policy`.
    pub fn check_policy(&self, policy: &Policy, evidence: &Evidence<'_>) -> Check {
        judge_claim(policy, self.claim(), self.manifest().signers(), evidence)
    }
}

/// Judges a claim that these trusted keys signed.
pub(super) fn judge_claim(policy: &Policy, claim: &TrainingRun, signers: &[Signer], evidence: &Evidence<'_>) -> Check {
    let mut check = Check::new("policy");
    let PolicyFile { git, numerics, envelope, roles, max_age, challenge, exit, probe, metrics, held_out, data, .. } =
        policy.rules();
    let PolicyFile { config, seed, program, replay, commitment, nonce, .. } = policy.rules();
    judge_git(git, claim, evidence.configs_not_held, &mut check);
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
    judge_roles(roles, signers.len() as u32, &evidence.verifiers, &mut check);
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
    if let Some(Demand::Required) = probe {
        // The worst of all devices that computed a step.
        let passed = |device: &DeviceRecord| device.probe.as_ref().map(|probe| probe.passed);
        let outcome = claim.training().and_then(|training| {
            let mut outcomes = training.devices().map(passed);
            outcomes.find(|outcome| *outcome != Some(true)).unwrap_or(Some(true))
        });
        let got = match outcome {
            Some(true) => "passed",
            Some(false) => "a failed one",
            None => "none",
        };
        rule(&mut check, "probe", outcome == Some(true), "a passed numerics probe of the device", got);
    }
    for (metric, range) in metrics {
        judge_metric(metric, range, held_out, claim, &mut check);
    }
    if let Some(least) = held_out.min {
        judge_held_out(least, claim, &mut check);
    }
    if data.dvc == Some(DvcRule::Matched) {
        judge_dvc(&claim.data, &mut check);
    }
    judge_roots(data, &claim.data, &mut check);
    judge_config(config, claim, evidence.config, &mut check);
    if let Some(allowed) = seed {
        let expected: Vec<_> = allowed.0.iter().map(u64::to_string).collect();
        let got = claim.training().map(|training| training.seed.0);
        let shown = got.map_or("none, as of a command".to_owned(), |got| got.to_string());
        rule(&mut check, "seed", got.is_some_and(|got| allowed.0.contains(&got)), &expected.join(" or "), &shown);
    }
    judge_program(program, claim.environment.built_from.as_ref(), &mut check);
    if let Some(Demand::Required) = replay {
        judge_replay(evidence, &mut check);
    }
    if let Some(Demand::Required) = commitment {
        match evidence.commitment.map(|commitment| faults(commitment, claim, signers)) {
            Some(faults) if faults.is_empty() => check.note("commitment: to this run".into()),
            Some(faults) => check.fail(format!("commitment: {}", faults.join("; "))),
            None => check.not_checked(
                "commitment: expected the one that you received before the run, got none: name it with --commitment FILE"
                    .into(),
            ),
        }
    }
    if let Some(Demand::Required) = nonce {
        match &claim.run.nonce {
            Some(nonce) if evidence.nonce_expected => check.note(format!("nonce: {nonce:?}, as expected")),
            _ => check.not_checked(
                "nonce: expected one that you handed out for this run, got none: name it with --nonce NONCE".into(),
            ),
        }
    }
    check
}

fn judge_metric(metric: &str, range: &MetricRange, held_out: &HeldOutRules, claim: &TrainingRun, check: &mut Check) {
    let name = format!("metrics.{metric}");
    let Some(recorded) = claim.metrics.iter().find(|recorded| recorded.name == metric) else {
        let recorded: Vec<_> = claim.metrics.iter().map(|metric| metric.name.as_str()).collect();
        return check.not_checked(format!("{name}: expected {range}, the record has {}", recorded.join(", ")));
    };
    let (value, samples) = (recorded.value.get(), recorded.samples);
    let within = range.min.is_none_or(|min| value >= min) && range.max.is_none_or(|max| value <= max);
    if within && metric.starts_with(HELD_OUT) && held_out.min.is_none() {
        // The best of many splits with a single held-out sample is in any range.
        return check.not_checked(format!(
            "{name}: {value}, computed over {samples} held-out samples: say with held_out.min how many will do"
        ));
    }
    rule(check, &name, within, &range.to_string(), &value.to_string());
}

/// What names of metrics begin with that are computed over held-out samples.
const HELD_OUT: &str = "test/";

fn judge_held_out(least: u64, claim: &TrainingRun, check: &mut Check) {
    let fewest = claim.metrics.iter().filter(|metric| metric.name.starts_with(HELD_OUT)).min_by_key(|m| m.samples.0);
    match fewest {
        Some(metric) => {
            let expected = format!("at least {least} samples behind every {HELD_OUT} metric");
            let got = format!("{} behind {}", metric.samples, metric.name);
            rule(check, "held_out.min", metric.samples.0 >= least, &expected, &got);
        }
        None => check.not_checked(format!("held_out.min: the record has no metric {HELD_OUT}…")),
    }
}

fn judge_roots(rules: &DataRules, data: &[DataRecord], check: &mut Check) {
    if rules.roots.is_empty() {
        return;
    }
    for (name, expected) in &rules.roots {
        let got = data.iter().find(|record| record.name == *name).map(|record| record.merkle_root.to_string());
        let holds = got.as_deref() == Some(&expected.to_string());
        let got = got.unwrap_or_else(|| "no such data set".to_owned());
        rule(check, &format!("data.roots.{name}"), holds, &expected.to_string(), &got);
    }
    for record in data.iter().filter(|record| record.role == DataRole::Raw && !rules.roots.contains_key(&record.name)) {
        check.fail(format!("data.roots: expected no other raw data set, got {:?}", record.name));
    }
}

fn judge_config<'a>(
    rules: impl IntoIterator<Item = (&'a String, &'a ConfigValue)>,
    claim: &TrainingRun,
    config: Option<&Config>,
    check: &mut Check,
) {
    let mut rules = rules.into_iter().peekable();
    if rules.peek().is_none() {
        return;
    }
    // Of another config than the signed one nothing follows for the run.
    let resolved = match config {
        None => {
            Err("expected the config as composed here, got none: say where its files are with --configs DIR".into())
        }
        Some(config) if !composed_as(config, claim) => {
            Err("expected the signed config, got another from the files that are here".into())
        }
        Some(config) => config.resolve().map_err(|error| error.to_string()),
    };
    for (key, expected) in rules {
        let name = format!("config.{key}");
        match &resolved {
            Ok(resolved) => {
                let got = resolved.value().get(key);
                let shown = got.map_or_else(|| "no such key".to_owned(), |got| ConfigValue(got.clone()).to_string());
                rule(check, &name, got == Some(&expected.0), &expected.to_string(), &shown);
            }
            Err(why) => check.not_checked(format!("{name}: {why}")),
        }
    }
}

fn judge_program(rules: &ProgramRules, built_from: Option<&BuiltFrom>, check: &mut Check) {
    const NAME: &str = "program.commits";
    let Some(allowed) = &rules.commits else { return };
    let Some(BuiltFrom { commit, clean }) = built_from else {
        return check.not_checked(format!("{NAME}: the program does not say what it was built from"));
    };
    let expected = allowed.iter().map(|commit| commit.as_str()).collect::<Vec<_>>().join(" or ");
    let changes = if *clean { "" } else { " with changes" };
    let holds = *clean && allowed.contains(commit);
    rule(check, NAME, holds, &format!("{expected}, without changes"), &format!("{commit}{changes}"));
}

fn judge_replay(evidence: &Evidence<'_>, check: &mut Check) {
    let nobody = "replay: expected that somebody trained the run again, got nobody: add --replay, or get the verdict of a \
                  trusted verifier who did";
    match &evidence.verifiers {
        _ if evidence.replayed => check.note("replay: made again here".into()),
        Verifiers::Replayed(signers) => check.note(format!("replay: made again by {signers} trusted verifiers")),
        Verifiers::NoVerdict => check.not_checked(nobody.into()),
        Verifiers::Refused(why) => check.not_checked(format!("{nobody} (the verdict here does not count: {why})")),
    }
}

fn judge_git(rules: &GitRules, claim: &TrainingRun, configs_not_held: &[String], check: &mut Check) {
    const OUTSIDE: &str = "the run was made outside a git repository";
    let git = claim.git.as_ref();
    if rules.required {
        let got = git.map_or("none".to_owned(), |git| format!("commit {}", git.commit.as_str()));
        rule(check, "git.required", git.is_some(), "a git repository", &got);
    }
    if rules.clean {
        match git {
            Some(git) => judge_clean(git, claim, configs_not_held, check),
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

/// A clean work tree beside which an ignored config file lies is no commit that anybody could check out: a file that the
/// commit does not hold was read.
fn judge_clean(git: &GitRecord, claim: &TrainingRun, configs_not_held: &[String], check: &mut Check) {
    let lists = [&git.read_untracked, &git.read_ignored];
    let is_config = |entry: &&String| {
        claim.config.sources.iter().any(|source| {
            let rest = entry.strip_suffix(source.path.as_str());
            rest.is_some_and(|folder| folder.is_empty() || folder.ends_with('/'))
        })
    };
    let read = lists.into_iter().flatten().filter(is_config).chain(configs_not_held);
    let outside: BTreeSet<_> = read.map(String::as_str).collect();
    if !git.clean {
        rule(check, "git.clean", false, "a clean work tree", "one with uncommitted changes");
    } else if !outside.is_empty() {
        let got = outside.into_iter().collect::<Vec<_>>().join(", ");
        check.fail(format!("git.clean: expected config files that the commit holds, got {got}"));
    } else {
        check.note("git.clean: clean, and the commit holds the config files, as the record says".into());
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
    let Some(numerics) = claim.training().map(|training| &training.numerics) else {
        // A command's arithmetic is nobody's claim: no rule about it holds.
        let NumericsRules { min_version, profiles, precision } = rules;
        if min_version.is_some() || profiles.is_some() || precision.is_some() {
            rule(
                check,
                "numerics",
                false,
                "a training in the engine",
                "a command, of whose arithmetic nothing is said",
            );
        }
        return;
    };
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

fn judge_roles(rules: &RoleRules, trainers: u32, verifiers: &Verifiers, check: &mut Check) {
    let expected = |count| format!("{count} trusted keys");
    if let Some(least) = rules.trainer {
        rule(check, "roles.trainer", trainers >= least, &expected(least), &trainers.to_string());
    }
    if let Some(least) = rules.verifier {
        const NAME: &str = "roles.verifier";
        let expected = expected(least);
        match verifiers {
            Verifiers::Replayed(got) => rule(check, NAME, *got >= least, &expected, &got.to_string()),
            Verifiers::Refused(why) => {
                check.fail(format!("{NAME}: expected {expected}, got 0: the verdict does not count: {why}"));
            }
            Verifiers::NoVerdict => check.not_checked(format!("{NAME}: expected {expected}, there is no verdict")),
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
