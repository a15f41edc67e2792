//! The record against itself: what the signed files say of the run is what the signed statement says.

use super::{Check, VerifiedRun};
use crate::event_log::METRICS;
use crate::manifest::origin::{ORIGIN, RunOrigin};
use crate::manifest::predicate::Computation;
use crate::manifest::strict_json;

impl VerifiedRun {
    /// Compares what the run started from, the log of metrics and the log of events with the statement.
    pub fn check_record(&self) -> Check {
        let mut check = Check::new("record");
        self.compare_origin(&mut check);
        match &self.claim().computation {
            Computation::Training(training) => {
                self.compare_metrics(&mut check);
                self.compare_events(training, &mut check);
            }
            // Files of such names in its directory are its own.
            Computation::Command(command) => {
                check.note(format!(
                    "the run is of a command, {}: no step log, and no claim about its arithmetic; its metrics are its own \
                     word, unless a replay compares them",
                    command.words.join(" ")
                ));
                if self.claim().data.is_empty() {
                    let declares_none =
                        "the command declares no inputs: what it read beside its sources is not in the record";
                    check.note(declares_none.into());
                }
                if !self.claims_limits() {
                    check.note("the command was run without limits: there are none to judge by".into());
                }
            }
        }
        check
    }

    fn compare_origin(&self, check: &mut Check) {
        let Some(bytes) = self.read_subject(ORIGIN, check) else { return };
        let origin: RunOrigin = match strict_json::from_slice(&bytes) {
            Ok(origin) => origin,
            Err(error) => return check.fail(format!("{ORIGIN}: expected what a run starts from, got {error}")),
        };
        let spelled = serde_json::to_string_pretty(&origin).is_ok_and(|text| format!("{text}\n").as_bytes() == bytes);
        if !spelled {
            check.fail_at(&self.root.join(ORIGIN), format!("{ORIGIN}: not as a run writes it"));
        }
        let claim = self.claim();
        let RunOrigin { run, workload, config, git, data, environment, computation, started_at } = origin;
        let contradiction = computation.contradiction(&claim.computation);
        for (field, differs) in [
            ("run", run != claim.run),
            ("workload", workload != claim.workload),
            ("config", config != claim.config),
            ("git", git != claim.git),
            ("data", data != claim.data),
            (contradiction.unwrap_or("computation"), contradiction.is_some()),
            ("startedAt", started_at != claim.started_at),
        ] {
            if differs {
                check.fail_at(
                    &self.root.join(ORIGIN),
                    format!("{ORIGIN}: {field}: expected what the statement says, got another"),
                );
            }
        }
        // A run may go on on another machine, whose record then stands in the statement.
        let resumed = environment != claim.environment
            || computation.device() != claim.training().map(|training| &training.device);
        check.note(match resumed {
            false => format!("{ORIGIN} says what the statement says"),
            true => format!(
                "{ORIGIN} names another machine or device than the statement: the run says that it was begun there and went on \
                 elsewhere (self-asserted)"
            ),
        });
    }

    /// The last figures of each metric in the log are those that are signed.
    fn compare_metrics(&self, check: &mut Check) {
        let Some(bytes) = self.optional_subject(METRICS, check) else { return };
        let text = String::from_utf8_lossy(&bytes);
        for metric in &self.claim().metrics {
            let of_metric = |line: &&str| line.split(',').nth(2) == Some(metric.name.as_str());
            let last = text.lines().rev().find(of_metric).and_then(|line| line.split(',').nth(3));
            let value = last.and_then(|value| value.parse::<f64>().ok());
            if value.map(f64::to_bits) != Some(metric.value.get().to_bits()) {
                let (expected, got) = (metric.value.get(), last.unwrap_or("none"));
                let finding = format!("{METRICS}: {}: expected {expected}, as signed, got {got}", metric.name);
                check.fail_at(&self.root.join(METRICS), finding);
            }
        }
    }

    /// A signed file that a run may be without.
    pub(super) fn optional_subject(&self, name: &str, check: &mut Check) -> Option<Vec<u8>> {
        let is_signed = self.manifest.statement().subject.iter().any(|subject| subject.name.as_str() == name);
        if is_signed { self.read_subject(name, check) } else { None }
    }
}
