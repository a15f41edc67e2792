//! Making a run again: with the engine where it was built in, and not at all where it was not.

use std::path::Path;

use spectramind::config::Config;
use spectramind::manifest::verdict::ReplayRecord;
use spectramind::verify::{Check, Report, SignedData, VerifiedRun};

use crate::Workloads;
use crate::arguments::{Accelerator, CaseArguments, DisputeArguments, SegmentAmount, SegmentArguments};

/// What a run is made again from.
#[cfg_attr(not(feature = "replay"), expect(dead_code, reason = "without the engine nothing is trained"))]
pub struct Again<'a> {
    pub run: &'a VerifiedRun,
    /// The signed config, if it was composed.
    pub config: Option<&'a Config>,
    pub data: &'a SignedData,
    pub accelerator: Accelerator,
    pub workloads: &'a Workloads,
    /// The checker's work tree.
    pub work_tree: &'a Path,
    /// Whether a command is run again.
    pub run_command: bool,
}

/// A check that could not be made, and why.
fn not_checked(name: &str, why: impl Into<String>) -> Check {
    let mut check = Check::new(name);
    check.not_checked(why.into());
    check
}

#[cfg(feature = "replay")]
pub use self::with_engine::golden;
#[cfg(not(feature = "replay"))]
pub use self::without_engine::golden;

#[cfg(feature = "replay")]
mod with_engine {
    use std::time::Instant;

    #[cfg(unix)]
    use spectramind::command::{self, CommandReplay, RunCommand};
    use spectramind::durable::write_whole;
    use spectramind::engine::step_log::StepLeaf;
    use spectramind::envelope::NetworkMode;
    use spectramind::foreign;
    use spectramind::network;
    use spectramind::run::AnyWorkload;
    use spectramind::run::replay::{Amount, Dispute, Replay, Segments, StepTrace};
    use spectramind::verify::Verdict;

    use super::*;
    use crate::arguments::composer;

    impl Again<'_> {
        /// Makes the whole run again: trains, or runs a command.
        pub fn replay(&self) -> (Check, Option<ReplayRecord>) {
            if self.run.claim().command().is_some() {
                return self.command();
            }
            let denied = self.deny_network();
            let mut record = None;
            let check = self.with("replay", |workload, replay| {
                let (mut check, again) = workload.replay(&replay);
                record = again;
                if let Some(note) = denied {
                    check.note(note);
                }
                check
            });
            (check, record)
        }

        /// Does without a network from here on where the run had none: nothing that the replay reads may come from one. What a
        /// training runs is this program alone, so where it cannot be denied the replay shows as much.
        fn deny_network(&self) -> Option<String> {
            if self.run.claim().envelope.bounds.network != NetworkMode::Denied {
                return None;
            }
            Some(match network::deny() {
                Ok(denied) => format!("the network was denied to this replay, too ({})", denied.enforcement),
                Err(error) => format!("the network could not be denied to this replay: {error}"),
            })
        }

        #[cfg(unix)]
        fn command(&self) -> (Check, Option<ReplayRecord>) {
            let Some(config) = self.config else {
                return (not_checked("replay", "the signed config was not composed: there is nothing to run by"), None);
            };
            let scratch = tempfile::tempdir().and_then(|scratch| Ok((scratch.path().canonicalize()?, scratch)));
            let (folder, _kept) = match scratch {
                Ok(scratch) => scratch,
                Err(error) => return (not_checked("replay", format!("no scratch folder: {error}")), None),
            };
            command::replay(&CommandReplay {
                run: self.run,
                config,
                data: self.data,
                work_tree: self.work_tree,
                scratch: &folder,
                variable: &|name| std::env::var_os(name),
                run_command: if self.run_command { RunCommand::Yes } else { RunCommand::No },
            })
        }

        #[cfg(not(unix))]
        fn command(&self) -> (Check, Option<ReplayRecord>) {
            (not_checked("replay", "commands are run again on systems of Unix' kind only"), None)
        }

        /// Trains a random part of the run again.
        pub fn segments(&self, amount: SegmentAmount, arguments: &SegmentArguments) -> (Check, Option<ReplayRecord>) {
            let name = "segments";
            if self.run.claim().command().is_some() {
                return (
                    not_checked(name, "a command has no steps of which some could be done again: replay it"),
                    None,
                );
            }
            let nonce = match &arguments.draw {
                Some(nonce) => nonce.clone(),
                None => match getrandom::u64() {
                    Ok(number) => format!("{number:016x}"),
                    Err(error) => return (not_checked(name, format!("no random nonce: {error}")), None),
                },
            };
            let amount = match amount {
                SegmentAmount::Count(count) => Amount::Count(count),
                SegmentAmount::Time(budget) => Amount::Time(budget),
            };
            let (segments, mut record) = (Segments { amount, nonce, jobs: arguments.jobs }, None);
            let check = self.with(name, |workload, replay| {
                let (check, again) = workload.segments(&replay, &segments);
                record = again;
                check
            });
            (check, record)
        }

        /// Finds where the run parts from something else, and writes what was traced here if that is asked for.
        pub fn dispute(&self, other: Option<&VerifiedRun>, arguments: &DisputeArguments) -> Check {
            let name = "dispute";
            if self.run.claim().command().is_some() {
                return not_checked(
                    name,
                    "a command has no steps to look into: spectramind-verify twice compares what it makes",
                );
            }
            let theirs = match arguments.with.as_deref().map(read_trace).transpose() {
                Ok(theirs) => theirs,
                Err(error) => return not_checked(name, error),
            };
            let mut logs = Check::new(name);
            let other = match other.map(|other| other_log(self.run, other, &mut logs)) {
                Some(None) => return logs,
                other => other.flatten(),
            };
            let dispute = Dispute { step: arguments.step, other, against: arguments.against.map(Into::into), theirs };
            let mut trace = None;
            let mut check = self.with(name, |workload, replay| {
                let (check, made) = workload.dispute(&replay, &dispute);
                trace = made;
                check
            });
            if let Some(path) = &arguments.trace {
                match trace.as_ref().map(|trace| write_trace(path, trace)) {
                    Some(Ok(())) => check.note(format!("wrote {}", path.display())),
                    Some(Err(error)) => check.not_checked(error),
                    None => check.not_checked(format!("{}: no step was traced", path.display())),
                }
            }
            logs.findings.append(&mut check.findings);
            Check { findings: logs.findings, ..check }
        }

        fn with(&self, name: &str, work: impl FnOnce(&dyn AnyWorkload, Replay<'_>) -> Check) -> Check {
            let Self { run, config, data, accelerator, workloads, .. } = *self;
            let Some(config) = config else {
                return not_checked(name, "the signed config was not composed: there is nothing to train by");
            };
            let Some(workload) = workloads.get(&run.claim().workload) else {
                let known: Vec<_> = workloads.iter().map(|workload| workload.name()).collect();
                let (known, got) = (known.join(", "), &run.claim().workload);
                let why = format!("this program replays the workloads {known}, the run is of {got:?}");
                return not_checked(name, why);
            };
            let scratch = match tempfile::tempdir() {
                Ok(scratch) => scratch,
                Err(error) => return not_checked(name, format!("no scratch folder: {error}")),
            };
            let begin = Instant::now();
            let (scratch, elapsed, accelerator) = (scratch.path(), &|| begin.elapsed(), accelerator.into());
            work(workload, Replay { run, config, data, accelerator, scratch, elapsed })
        }
    }

    /// Bytes of a trace: a hundred thousand tensors, each with a line.
    const MAX_TRACE_BYTES: u64 = 1 << 25;

    fn read_trace(path: &Path) -> Result<StepTrace, String> {
        let bytes = foreign::read_named(path, MAX_TRACE_BYTES).map_err(|error| error.to_string())?;
        serde_json::from_slice(&bytes)
            .map_err(|error| format!("{}: expected a trace of a step, got something else ({error})", path.display()))
    }

    fn write_trace(path: &Path, trace: &StepTrace) -> Result<(), String> {
        let mut text = serde_json::to_vec(trace).expect("plain data");
        text.push(b'\n');
        write_whole(path, &text).map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    /// The leaves of another run's log, which has to be the signed one; what else differs between the runs is said.
    fn other_log(run: &VerifiedRun, other: &VerifiedRun, check: &mut Check) -> Option<Vec<StepLeaf>> {
        let (Some(ours), Some(theirs)) = (run.claim().training(), other.claim().training()) else {
            check.not_checked("expected two trainings, got a command".into());
            return None;
        };
        if let Some(log) = other.check_steps().filter(|log| log.verdict != Verdict::Passed) {
            check.findings.extend(log.findings);
            check.verdict = log.verdict;
            return None;
        }
        let (claim, another) = (run.claim(), other.claim());
        for (what, differs) in [
            ("config", claim.config.digest != another.config.digest),
            ("data", claim.data.iter().map(|set| set.merkle_root).ne(another.data.iter().map(|set| set.merkle_root))),
            ("seed", ours.seed != theirs.seed),
            ("numerics", ours.numerics != theirs.numerics),
            ("commit", claim.git.as_ref().map(|git| &git.commit) != another.git.as_ref().map(|git| &git.commit)),
        ] {
            if differs {
                check.note(format!("the two runs have another {what}"));
            }
        }
        let text = other.read_subject(theirs.steps.file.as_str(), check)?;
        let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        match lines.map(serde_json::from_slice).collect::<Result<_, _>>() {
            Ok(leaves) => Some(leaves),
            Err(error) => {
                check.fail(format!(
                    "{}: expected step leaves, got something else ({error})",
                    theirs.steps.file.as_str()
                ));
                None
            }
        }
    }

    /// Runs the golden cases.
    pub fn golden(
        golden: &Path,
        configs: &Path,
        accelerator: Accelerator,
        cases: &CaseArguments,
        workloads: &Workloads,
    ) -> Report {
        crate::golden::report(golden, &composer(configs), accelerator.into(), cases, workloads)
    }

    impl From<Accelerator> for spectramind::engine::settings::Accelerator {
        fn from(accelerator: Accelerator) -> Self {
            match accelerator {
                Accelerator::Cpu => Self::Cpu,
                Accelerator::Wgpu => Self::Wgpu,
                Accelerator::Cuda => Self::Cuda,
                Accelerator::Auto => Self::Auto,
            }
        }
    }
}

#[cfg(not(feature = "replay"))]
mod without_engine {
    use super::*;

    const WHY: &str = "this program was built without the tensor engine: build it with `--features replay`";

    impl Again<'_> {
        /// Trains nothing.
        pub fn replay(&self) -> (Check, Option<ReplayRecord>) {
            (not_checked("replay", WHY), None)
        }

        /// Trains nothing.
        pub fn segments(&self, _: SegmentAmount, _: &SegmentArguments) -> (Check, Option<ReplayRecord>) {
            (not_checked("segments", WHY), None)
        }

        /// Trains nothing.
        pub fn dispute(&self, _: Option<&VerifiedRun>, _: &DisputeArguments) -> Check {
            not_checked("dispute", WHY)
        }
    }

    /// Runs nothing.
    pub fn golden(golden: &Path, _: &Path, _: Accelerator, _: &CaseArguments, _: &Workloads) -> Report {
        let mut report = Report::new(golden.display().to_string(), false);
        report.checks.push(not_checked("golden", WHY));
        report
    }
}
