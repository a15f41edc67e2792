//! The limits: were they kept, by the trainer's own figures?

use super::{Check, VerifiedRun};
use crate::envelope::{Bounds, Verdict as LimitVerdict, judge};

impl VerifiedRun {
    /// Judges the recorded figures by `bounds`, or by the bounds the run itself claims to have kept.
    pub fn check_envelope(&self, bounds: Option<&Bounds>) -> Check {
        let mut check = Check::new("envelope");
        let record = &self.claim().envelope;
        let recorded = Bounds::from(&record.bounds);
        let findings = judge(bounds.unwrap_or(&recorded), &(&record.figures).into());
        if findings.is_empty() && self.claim().command().is_some() {
            check.note("the config of the command sets no limit: there is none to judge by".into());
        } else if findings.is_empty() {
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
