//! What a run starts from, gathered; and read back.

use std::io;
use std::path::Path;

use super::{DataSets, Sources, Surroundings};
use crate::config::{Composer, Config, Value};
use crate::engine::device::Choice;
use crate::engine::repro::NUMERICS_VERSION;
use crate::engine::settings::{Numerics, Precision, SupportedTrainer};
use crate::engine::written::WrittenFiles;
use crate::failure::{Context, Failure};
use crate::manifest::origin::{ComputationOrigin, ORIGIN, RunOrigin};
use crate::manifest::predicate::{
    ConfigChoice, ConfigRecord, ConfigSource, DeviceRecord, JobRecord, NumericsProfile, NumericsRecord,
    PrecisionRecord, ProbeRecord, RunRecord,
};
use crate::manifest::strict_json::{self, DecimalU64};
use crate::manifest::timestamp::{UtcOffset, UtcTime};
use crate::provenance::environment::{Environment, Variable};
use crate::provenance::path::RelativePath;

/// What is said of a run beside what it reads.
pub(crate) struct About<'a> {
    /// Which run it is.
    pub run: RunRecord,
    /// The name of its workload.
    pub workload: &'a str,
    /// The name of its primary config.
    pub config_name: &'a str,
    /// Environment variables that are no secret.
    pub told: &'a [String],
    /// What else is known of the environment: it counts before all other.
    pub environment: &'a [Variable],
    /// What is known of the computation.
    pub computation: ComputationOrigin,
}

/// Gathers what the run starts from.
pub(crate) fn origin(
    about: About<'_>,
    composed: &Config,
    data: &DataSets,
    sources: &Sources,
    surroundings: &Surroundings<'_>,
) -> Result<RunOrigin, Failure> {
    let names = composed.environment_names()?;
    let told = about.told.iter().map(String::as_str);
    let read = surroundings.variables(names.iter().map(String::as_str), told);
    let variables = about.environment.iter().cloned().chain(read).collect();
    Ok(RunOrigin {
        run: about.run,
        workload: about.workload.to_owned(),
        config: config_record(composed, about.config_name)?,
        git: sources.record().cloned(),
        data: data.records(),
        environment: Environment::collect(surroundings.program, variables)?,
        computation: about.computation,
        started_at: (surroundings.now)(),
    })
}

/// What is recorded of a device.
pub(super) fn device_record(choice: &Choice) -> DeviceRecord {
    let device = &choice.device;
    DeviceRecord {
        accelerator: device.kind.name().into(),
        name: device.name.clone(),
        driver: device.driver.clone(),
        memory_bytes: device.memory_bytes.map(DecimalU64),
        // A device that fails it does not come this far.
        probe: choice.probe.map(|digest| ProbeRecord { passed: true, digest }),
    }
}

/// What is recorded of the arithmetic that a trainer profile asks for.
pub(super) fn numerics_record(trainer: &SupportedTrainer) -> NumericsRecord {
    NumericsRecord {
        profile: match trainer.numerics {
            Numerics::Portable => NumericsProfile::Portable,
            Numerics::Native => NumericsProfile::Native,
        },
        version: NUMERICS_VERSION,
        precision: match trainer.precision {
            Precision::Full => PrecisionRecord::Full,
            Precision::MixedF16 => PrecisionRecord::MixedF16,
            Precision::MixedBf16 => PrecisionRecord::MixedBf16,
        },
    }
}

/// What is recorded of a composed config.
///
/// # Errors
/// When it cannot be resolved.
pub fn config_record(composed: &Config, name: &str) -> Result<ConfigRecord, Failure> {
    let sources = composed.sources().iter().map(|source| -> Result<_, Failure> {
        let path = RelativePath::parse(&source.path)?;
        Ok(ConfigSource { path, size: source.size, blake3: source.blake3.into() })
    });
    let number = match composed.hydra_value("job.num")? {
        Value::Int(number) => Some(number.try_into().map_err(|_| {
            let message = format!("hydra.job.num: expected the number of a job, from 0, got {number}");
            Failure::usage(message, "leave hydra.job.num out: a multirun numbers its jobs itself")
        })?),
        _ => None,
    };
    let composed_at = composed.now().ok_or_else(|| Failure::new("the config was composed without a time"))?;
    Ok(ConfigRecord {
        name: name.to_owned(),
        digest: composed.digest()?.into(),
        choices: choices(composed),
        overrides: composed.overrides().to_vec(),
        hydra_overrides: composed.hydra_overrides().to_vec(),
        job: JobRecord { name: composed.hydra_value("job.name")?.to_string(), number },
        composed_at: UtcTime(composed_at.timestamp()),
        utc_offset_seconds: UtcOffset(composed_at.offset()),
        version_base: composed.version_base(),
        resolvers: composed.resolvers()?.map(RelativePath::parse).transpose()?,
        sources: sources.collect::<Result<_, _>>()?,
    })
}

/// The task's own choices: Hydra's about itself change nothing of a run.
fn choices(composed: &Config) -> Vec<ConfigChoice> {
    let own = composed.choices().iter().filter(|(group, _)| !group.starts_with("hydra/"));
    let choice = |(group, option): &(String, Option<String>)| ConfigChoice {
        group: group.clone(),
        option: option.clone().unwrap_or_else(|| "null".into()),
    };
    own.map(choice).collect()
}

/// Why an audit, which has the record and the configs but of this machine's environment only what is recorded, and not
/// its folders, would compose another config; none when it composes the same.
pub fn audit_difference(origin: &RunOrigin, composer: &Composer) -> Option<String> {
    let record = &origin.config;
    let told = origin.environment.variables.iter();
    let told = told.filter_map(|variable| Some((variable.name.clone(), variable.value.clone()?)));
    let composer = composer.clone().env(told.collect()).cwd("/").packages(Vec::new());
    match record.compose(&composer).and_then(|config| config.digest()) {
        Ok(digest) if digest == record.digest => None,
        Ok(_) => Some("it depends on this run's folders".into()),
        Err(error) => Some(error.to_string()),
    }
}

/// Writes `provenance.json` into a new run directory.
pub(super) fn write_origin(run: &WrittenFiles, origin: &RunOrigin) -> Result<(), Failure> {
    let mut text = serde_json::to_vec_pretty(origin).expect("a record is plain data");
    text.push(b'\n');
    Ok(run.write_file(ORIGIN, &text)?)
}

/// Reads `provenance.json` of a run.
///
/// # Errors
/// When it is not there, or something else.
pub fn read_origin(run: &Path) -> Result<RunOrigin, Failure> {
    let path = run.join(ORIGIN);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = format!("{}: expected a run directory, with {ORIGIN}, got none", run.display());
            return Err(Failure::missing(message).with_hint("name the directory of a run: spectramind runs list"));
        }
        read => read.with_context(|| format!("cannot read {}", path.display()))?,
    };
    strict_json::from_slice(&bytes).with_context(|| format!("{} is not what a run starts from", path.display()))
}

/// Writes what a run is made of into its new directory: the lists of data, the uncommitted changes, and what it starts
/// from, after which it can be gone on with.
pub(crate) fn write_beginning(
    run: &WrittenFiles,
    origin: &RunOrigin,
    data: &DataSets,
    sources: &Sources,
) -> Result<(), Failure> {
    data.write(run)?;
    sources.write(run)?;
    write_origin(run, origin)
}
