//! What the checks of a run found, and what is made of it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::Timestamp;
use spectramind::config::Config;
use spectramind::envelope::Bounds;
use spectramind::manifest::dsse::Profile;
use spectramind::manifest::trust::Trust;
use spectramind::manifest::verdict::ReplayRecord;
use spectramind::verify::{Check, GitEvidence, Report, TrainedAgain, Verdict, VerifiedRun};

use crate::demands;

/// What the checks of a run found, as they are made.
#[derive(Default)]
pub struct Found {
    checks: Vec<Check>,
    /// The signed config, if it was composed.
    pub config: Option<Config>,
    /// Config files that the commit does not hold.
    configs_not_held: Vec<String>,
    trained_again: TrainedAgain,
    /// What was trained again.
    pub record: Option<ReplayRecord>,
    bug: bool,
}

impl Found {
    pub fn checks(&mut self, checks: impl IntoIterator<Item = Check>) {
        self.checks.extend(checks);
    }

    pub fn git(&mut self, evidence: GitEvidence) {
        self.checks.push(evidence.check);
        self.configs_not_held = evidence.configs_not_held;
    }

    /// Replays; a replay that this program fails at must not take the other findings with it.
    pub fn replayed(&mut self, replay: impl FnOnce() -> (Check, Option<ReplayRecord>)) {
        match caught("replay", replay) {
            Ok((check, record)) => {
                if check.verdict == Verdict::Passed {
                    self.trained_again = TrainedAgain::Whole;
                }
                self.checks.push(check);
                self.record = record;
            }
            Err(check) => self.failed(check),
        }
    }

    /// Judges how long it took to train the whole run again, where anything limits its time.
    pub fn timed(&mut self, run: &VerifiedRun, bounds: Option<&Bounds>) {
        if let (TrainedAgain::Whole, Some(ReplayRecord::Training(replay))) = (self.trained_again, &self.record) {
            self.checks.extend(run.check_time(replay, bounds));
        }
    }

    /// As [`replayed`](Self::replayed), of a part of the run.
    pub fn replayed_in_part(&mut self, replay: impl FnOnce() -> (Check, Option<ReplayRecord>)) {
        match caught("segments", replay) {
            Ok((check, record)) => {
                if check.verdict == Verdict::Passed {
                    self.trained_again = TrainedAgain::Part;
                }
                self.checks.push(check);
                self.record = record;
            }
            Err(check) => self.failed(check),
        }
    }

    /// A step of the run was looked into: that trains no part of it again.
    pub fn looked_into(&mut self, look: impl FnOnce() -> Check) {
        match caught("dispute", look) {
            Ok(check) => self.checks.push(check),
            Err(check) => self.failed(check),
        }
    }

    fn failed(&mut self, check: Check) {
        self.bug = true;
        self.checks.push(check);
    }

    /// Judges what was found by what is demanded, and moves it into the report; says whether there was a bug.
    pub fn judge(
        &mut self,
        demands: &demands::Demands,
        run: &VerifiedRun,
        trust: &Trust,
        at: Timestamp,
        profile: Profile,
        report: &mut Report,
    ) -> bool {
        let found = demands::Found {
            config: self.config.as_ref(),
            replayed: self.trained_again == TrainedAgain::Whole,
            configs_not_held: &self.configs_not_held,
        };
        let judged = demands.judge(run, trust, at, profile, &found);
        report.checks.append(&mut self.checks);
        report.checks.extend(judged);
        report.trained_again = self.trained_again;
        self.bug
    }
}

/// Does a part of the work; where this program fails at it, a check of that name which was not made.
fn caught<T>(name: &str, work: impl FnOnce() -> T) -> Result<T, Check> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| {
        let mut check = Check::new(name);
        check.not_checked("this program failed at it: that is a bug, please report it (exit code 70)".into());
        check
    })
}
