//! `spectramind-verify`: lets a stranger re-check a run. Arguments, wording and exit codes; the checks are the library's.
//!
//! A verifier of one's own, which replays runs of one's own workloads, is a `main` that calls [`main`] with them.

mod again;
mod arguments;
mod demands;
mod found;
#[cfg(feature = "replay")]
mod golden;
mod report;
mod sign;
mod trust;
#[cfg(unix)]
mod twice;
#[cfg(not(feature = "replay"))]
mod workloads;

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::ExitCode;

use jiff::Timestamp;
use spectramind::config::{Config, ErrorKind};
use spectramind::failure::Failure;
use spectramind::manifest::dsse::Profile;
use spectramind::manifest::predicate::DataSet;
use spectramind::manifest::trust::{Role, Trust};
use spectramind::verify::text::shown;
use spectramind::verify::{
    Check, Derived, PolicyError, Report, SignedRun, Unsigned, Verdict, VerifiedRun, check_verdict,
};

use self::again::Again;
use self::arguments::{Arguments, Command, RunArguments};
use self::found::Found;

#[cfg(not(feature = "replay"))]
pub use self::workloads::Workloads;
#[cfg(feature = "replay")]
use spectramind::engine::device;
#[cfg(feature = "replay")]
pub use spectramind::run::Workloads;

/// Every requested check passed.
const PASSED: u8 = 0;
/// A check failed.
const FAILED: u8 = 1;
/// The arguments are wrong; what clap exits with, too.
const USAGE: u8 = 2;
/// Something could not be checked.
const NOT_CHECKED: u8 = 3;
/// A bug in this program.
const BUG: u8 = 70;

/// The whole command line: what its manual pages are made of.
pub fn command() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// The program: reads the arguments of the process, checks what they say, and replays runs of these workloads.
pub fn main(workloads: &Workloads) -> ExitCode {
    let arguments = arguments::of_process();
    // The panic's own message is on standard error already.
    std::panic::catch_unwind(AssertUnwindSafe(|| run(arguments, workloads))).unwrap_or(ExitCode::from(BUG))
}

fn run(arguments: Arguments, workloads: &Workloads) -> ExitCode {
    let Arguments { command, outputs } = arguments;
    let Checked { report, bug } = match outputs.check().and_then(|()| checked(command, workloads)) {
        Ok(checked) => checked,
        Err(error) => return refused(&error),
    };
    let code = if bug { BUG } else { exit_code(report.verdict()) };
    match outputs.write(&report) {
        Ok(()) => ExitCode::from(code),
        // Bad news of the run outweighs a report that could not be written; a pass that nobody can read is none.
        Err(error) if code == PASSED => refused(&error),
        Err(error) => {
            refused(&error);
            ExitCode::from(code)
        }
    }
}

/// What was checked.
struct Checked {
    report: Report,
    /// Whether this program failed at a check, which is then not checked: its other findings stay.
    bug: bool,
}

impl From<Report> for Checked {
    fn from(report: Report) -> Self {
        Self { report, bug: false }
    }
}

fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Passed => PASSED,
        Verdict::Failed => FAILED,
        Verdict::NotChecked => NOT_CHECKED,
    }
}

fn refused(error: &anyhow::Error) -> ExitCode {
    eprintln!("Error: {}", shown(&format!("{error:#}")));
    if let Some(PolicyError::Config(error)) = error.downcast_ref()
        && error.kind() == ErrorKind::UnknownKey
        && let Some(hint) = error.hint()
    {
        eprintln!("Hint: {}", shown(&hint));
    }
    ExitCode::from(USAGE)
}

fn checked(command: Command, workloads: &Workloads) -> anyhow::Result<Checked> {
    // What a config says about data is its workload's to tell.
    let known = |name: &str, config: &Config| -> Option<Result<Vec<DataSet>, Failure>> {
        #[cfg(all(feature = "replay", unix))]
        if name == spectramind::manifest::predicate::COMMAND_WORKLOAD {
            return Some(spectramind::command::config::data_sets(config));
        }
        workloads.get(name).map(|workload| workload.data_sets(config))
    };
    #[cfg(feature = "replay")]
    device::choose_cpu_level(std::env::var_os(device::CPU_LEVEL_VARIABLE).as_deref())?;
    match command {
        Command::Manifest { run, files } => of_run(&run, |run, found| {
            found.checks([run.check_files(&files.unsigned())]);
            found.checks(run.check_steps());
            found.checks([run.check_record()]);
        }),
        Command::Config { run, sources } => of_run(&run, |run, found| {
            let (check, config) = sources.compose(run, &known);
            found.checks([check]);
            found.config = config;
        }),
        Command::Git { run, sources } => of_run(&run, |run, found| {
            let (_, config) = sources.compose(run, &known);
            found.git(sources.git(run, config.as_ref()));
            found.config = config;
        }),
        Command::Data { run, sources, data } => of_run(&run, |run, found| {
            found.checks([run.check_data(data.places(&sources), Derived::NotLookedAt).0]);
        }),
        Command::Envelope { run, limits, plan } if plan.is_static => Ok(plan.report(&run.run, &limits)?.into()),
        Command::Envelope { run, limits, .. } => of_run(&run, |run, found| found.checks([limits.check(run)])),
        Command::Replay { run, sources, data, device, run_command, segments } => of_run(&run, |run, found| {
            let (check, config) = sources.compose(run, &known);
            let (inputs, signed) = run.check_data(data.places(&sources), Derived::ByReplay);
            found.checks([check]);
            found.checks(data.has_any(run).then_some(inputs));
            found.checks([run.check_end(config.as_ref())]);
            let work_tree = sources.repository.as_path();
            let (composed, accelerator) = (config.as_ref(), device.accelerator);
            let again = Again { run, config: composed, data: &signed, accelerator, workloads, work_tree, run_command };
            match segments.amount() {
                Some(amount) => found.replayed_in_part(|| again.segments(amount, &segments)),
                None => found.replayed(|| again.replay()),
            }
            found.config = config;
        }),
        Command::Audit {
            run: arguments,
            files,
            sources,
            program,
            data,
            limits,
            replay,
            run_command,
            segments,
            device,
            sign,
        } => {
            let Opened { mut report, run, demands, at } = open(&arguments)?;
            let Some((run, trust)) = run else {
                sign.warn_unsigned();
                return Ok(report.into());
            };
            let signer = sign.signer(&run)?;
            let mut found = Found::default();
            let (composed, config) = sources.compose(&run, &known);
            found.checks([run.check_files(&files.unsigned())]);
            found.checks(run.check_steps());
            found.checks([run.check_record(), composed]);
            found.git(sources.git(&run, config.as_ref()));
            let trains = replay || segments.amount().is_some();
            let derived = if trains { Derived::ByReplay } else { Derived::NotLookedAt };
            let (inputs, signed) = run.check_data(data.places(&sources), derived);
            found.checks([program.check(&run)]);
            found.checks(data.has_any(&run).then_some(inputs));
            found.checks(limits.has_any(&run).then(|| limits.check(&run)));
            found.checks([run.check_end(config.as_ref())]);
            if trains {
                let (run, accelerator) = (&run, device.accelerator);
                let work_tree = sources.repository.as_path();
                let config = config.as_ref();
                let again = Again { run, config, data: &signed, accelerator, workloads, work_tree, run_command };
                match segments.amount() {
                    Some(amount) => found.replayed_in_part(|| again.segments(amount, &segments)),
                    None => found.replayed(|| again.replay()),
                }
                found.timed(run, limits.bounds());
            }
            found.config = config;
            let bug = found.judge(&demands, &run, &trust, at, arguments.profile.profile(), &mut report);
            // A verdict that cannot be written must not hide what was found.
            if let Some(Err(error)) = signer.map(|signer| signer.sign(&run, &report, found.record)) {
                let mut check = Check::new("signing");
                check.not_checked(format!("{error:#}"));
                report.checks.push(check);
            }
            Ok(Checked { report, bug })
        }
        Command::Verdict { run, trust, trainer_key, files, profile, verdict } => {
            let believed = trust.resolve(Role::Verifier)?.with_trainer(trainer_key.as_deref());
            Ok(of_verdict(&run, believed, &files.unsigned(), profile.profile(), verdict.as_deref()).into())
        }
        #[cfg(unix)]
        Command::Twice(arguments) => Ok(twice::report(&arguments)?.into()),
        Command::Dispute { run: arguments, other, sources, data, device, dispute } => {
            let Opened { mut report, run, demands, at } = open(&arguments)?;
            let Some((run, trust)) = run else { return Ok(report.into()) };
            let profile = arguments.profile.profile();
            let mut found = Found::default();
            let other = match other.map(|other| VerifiedRun::open(&other, &trust, at, profile)) {
                None => None,
                Some((_, Some(other))) => Some(other),
                Some((signature, None)) => {
                    let check = Check { name: "dispute".into(), ..signature };
                    report.checks.push(check);
                    return Ok(report.into());
                }
            };
            let (check, config) = sources.compose(&run, &known);
            let (inputs, signed) = run.check_data(data.places(&sources), Derived::ByReplay);
            found.checks([check, inputs]);
            let (composed, accelerator) = (config.as_ref(), device.accelerator);
            let work_tree = sources.repository.as_path();
            let (data, run_command) = (&signed, false);
            let again = Again { run: &run, config: composed, data, accelerator, workloads, work_tree, run_command };
            found.looked_into(|| again.dispute(other.as_ref(), &dispute));
            found.config = config;
            let bug = found.judge(&demands, &run, &trust, at, profile, &mut report);
            Ok(Checked { report, bug })
        }
        Command::Golden { golden, configs, device, cases } => {
            Ok(again::golden(&golden, &configs, device.accelerator, &cases, workloads).into())
        }
    }
}

/// Opens the run and makes the checks on it; a run nobody vouches for is not checked further.
fn of_run(arguments: &RunArguments, checks: impl FnOnce(&VerifiedRun, &mut Found)) -> anyhow::Result<Checked> {
    let Opened { mut report, run, demands, at } = open(arguments)?;
    let Some((run, trust)) = run else { return Ok(report.into()) };
    let mut found = Found::default();
    checks(&run, &mut found);
    let bug = found.judge(&demands, &run, &trust, at, arguments.profile.profile(), &mut report);
    Ok(Checked { report, bug })
}

/// A report with the check of a run's signature, and the run if that passed.
struct Opened {
    report: Report,
    /// The run, and whom to believe about it.
    run: Option<(VerifiedRun, Trust)>,
    demands: demands::Demands,
    /// The time that everything is judged at.
    at: Timestamp,
}

/// Opens the run.
fn open(arguments: &RunArguments) -> anyhow::Result<Opened> {
    let demands = arguments.demands.read()?;
    let believed = arguments.trust.resolve(Role::Trainer)?;
    let at = trust::now();
    let mut report = Report::new(arguments.run.display().to_string(), believed.is_self);
    report.checks.extend(believed.check);
    let trust = match believed.trust {
        Ok(trust) => trust,
        Err(check) => {
            report.checks.push(check);
            return Ok(Opened { report, run: None, demands, at });
        }
    };
    let (mut signature, run) = VerifiedRun::open(&arguments.run, &trust, at, arguments.profile.profile());
    report.run = run.as_ref().map(SignedRun::from);
    let run = run.and_then(|run| demands.expected(run, &mut signature));
    report.checks.push(signature);
    Ok(Opened { report, run: run.map(|run| (run, trust)), demands, at })
}
/// Checks what a verifier signed about a run.
fn of_verdict(
    run: &Path,
    believed: trust::Believed,
    unsigned: &Unsigned,
    profile: Profile,
    verdict: Option<&Path>,
) -> Report {
    let mut report = Report::new(run.display().to_string(), believed.is_self);
    report.checks.extend(believed.check);
    match believed.trust {
        Ok(trust) => {
            let found = check_verdict(run, verdict, unsigned, &trust, trust::now(), profile);
            report.run = found.run;
            report.checks.extend(found.checks);
        }
        Err(check) => report.checks.push(check),
    }
    report
}
