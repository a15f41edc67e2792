//! The limits: were they kept, by the trainer's own figures?

use super::{Check, VerifiedRun};
use crate::envelope::{Bounds, Verdict as LimitVerdict, judge};

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
