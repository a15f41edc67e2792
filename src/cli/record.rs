//! Putting the record of a run together from the library's parts, and signing it.

use std::path::{Path, PathBuf};

use crate::ariel::config::{DataConfig, DvcPolicy, TrainConfig};
use crate::ariel::training::Trained;
use crate::config::{Composer, Config, Value};
use crate::digest::{Blake3Digest, FileDigest};
use crate::durable;
use crate::engine::device::{CPU_LEVEL_VARIABLE, Choice};
use crate::engine::fit::Exit;
use crate::engine::repro::NUMERICS_VERSION;
use crate::engine::run_dir::{FINAL_CHECKPOINT, RunDirectory, STEP_LOG, complete_lines};
use crate::engine::settings::{Numerics, Precision, TrainerSettings};
use crate::engine::snapshot::Snapshot;
use crate::envelope::{Enforcement, Figures, NetworkFigure};
use crate::failure::{Context, Failure, Result};
use crate::manifest::dsse::Envelope;
use crate::manifest::key::SigningKey;
use crate::manifest::origin::{ORIGIN, RunOrigin};
use crate::manifest::predicate::{
    CheckpointRecord, ConfigChoice, ConfigRecord, ConfigSource, DataRecord, DataRole, DeviceRecord, DvcRecord,
    EnvelopeRecord, ExitReason, ExitRecord, FiguresRecord, FileRecord, JobRecord, MetricRecord, NumericsProfile,
    NumericsRecord, PrecisionRecord, ProbeRecord, RunRecord, StepsRecord, TrainingRun,
};
use crate::manifest::slsa::Provenance;
use crate::manifest::statement::{Predicate, Statement, Subject};
use crate::manifest::strict_json::{self, DecimalU64, ExactF64};
use crate::manifest::timestamp::{UtcOffset, UtcTime};
use crate::merkle::{MerkleLog, leaf_hash};
use crate::provenance::data::{DigestCache, HashedData, ListedFiles, ReadData};
use crate::provenance::dvc::{DvcEntries, DvcOutput, outputs_to_jsonl};
use crate::provenance::environment::{Environment, Variable};
use crate::provenance::git::{self, GitRecord, UNCOMMITTED_PATCH};
use crate::provenance::path::RelativePath;
use crate::verify::{MANIFEST, STEP_LEAVES, VERDICT};

/// The workload that this program trains.
const WORKLOAD: &str = "ariel";

/// The data sets of a run: the raw one, and the light curves that were made from it.
pub struct DataSets([DataSet; 2]);

/// A data set as it was when the run began.
struct DataSet {
    record: DataRecord,
    root: PathBuf,
    hashed: HashedData,
    /// What DVC says of it.
    entries: DvcEntries,
    outputs: Vec<DvcOutput>,
}

impl DataSet {
    fn listed(&self) -> ListedFiles {
        ListedFiles::new(&self.root, self.hashed.manifest().clone())
    }
}

impl DataSets {
    /// Hashes every file of the data set and of what was calibrated from it, but for those that the cache remembers, and
    /// compares them with what DVC says.
    ///
    /// # Errors
    /// Also when DVC says something else and the config does not say to record that.
    pub fn hash(config: &TrainConfig, cache: Option<&DigestCache>) -> Result<Self> {
        let DataConfig { name, root, .. } = &config.data;
        let role = if config.data.simulation.is_some() { DataRole::Derived } else { DataRole::Raw };
        let sets = [(name.clone(), role, root), (format!("{name}-calibrated"), DataRole::Derived, &config.calib.out)];
        let hash = |(name, role, root): (String, DataRole, &PathBuf)| -> Result<_> {
            let entries = DvcEntries::about(root)?;
            let needed = entries.needed();
            let kinds = |path: &RelativePath| needed.of_file(path);
            let hashed = match cache {
                Some(cache) => HashedData::remembered(root, kinds, cache)?,
                None => ReadData::of_tree_with(root, kinds)?.into(),
            };
            let outputs = entries.compare(&hashed)?;
            if config.provenance.dvc == DvcPolicy::Refuse {
                entries.refuse_differences(&outputs)?;
            }
            let list = RelativePath::parse(&format!("provenance/{name}.jsonl"))?;
            let dvc = DvcRecord::new(&outputs, RelativePath::parse(&format!("provenance/{name}.dvc.jsonl"))?);
            let record = DataRecord::new(&name, role, &root.display().to_string(), hashed.manifest(), list, dvc);
            Ok(DataSet { record, root: root.clone(), hashed, entries, outputs })
        };
        let [raw, derived] = sets;
        Ok(Self([hash(raw)?, hash(derived)?]))
    }

    /// The raw data set as it was hashed: the only way in which a run reads it.
    pub fn raw(&self) -> ListedFiles {
        self.0[0].listed()
    }

    /// The light curves as they were hashed: the only way in which a run reads them.
    pub fn derived(&self) -> ListedFiles {
        self.0[1].listed()
    }

    /// Reads everything again and refuses data that changed while the run used them, or that the cache remembered
    /// wrongly: every byte is read here, whatever was believed when the run began.
    pub fn check_unchanged(&self) -> Result<()> {
        for DataSet { record, root, hashed, entries, .. } in &self.0 {
            let needed = entries.needed();
            let after = ReadData::of_tree_with(root, |path| needed.of_file(path))?;
            if let Some(difference) = hashed.manifest().compare(&after).first() {
                return Err(Failure::new(format!(
                    "data set {} changed while the run used it: {difference}; the run is not signed",
                    record.name
                )));
            }
            if *hashed != *after {
                return Err(Failure::new(format!(
                    "data set {}: the cache of digests holds a wrong MD5; the run is not signed",
                    record.name
                )));
            }
        }
        Ok(())
    }

    /// Writes the lists of files, and of DVC's outputs, into the run directory.
    pub fn write(&self, run: &RunDirectory) -> Result<()> {
        for DataSet { record, hashed, outputs, .. } in &self.0 {
            let path = run.root().join(record.list.as_str());
            std::fs::create_dir_all(durable::folder_of(&path))?;
            run.write_file(record.list.as_str(), hashed.manifest().to_jsonl().as_bytes())?;
            if let Some(dvc) = &record.dvc {
                run.write_file(dvc.list.as_str(), outputs_to_jsonl(outputs).as_bytes())?;
            }
        }
        Ok(())
    }
}

/// The sources of a run, and what of them is kept beside the record.
pub struct Sources {
    record: Option<GitRecord>,
    patch: Vec<u8>,
}

impl Sources {
    /// Compares the work tree around the working directory with its commit, and lists which of the files that the run
    /// reads git does not know.
    pub fn read(composed: &Config, config: &TrainConfig) -> Result<Self> {
        let configs = composed.sources().iter().filter_map(|source| source.absolute.clone());
        let reads: Vec<_> = configs.chain([config.data.root.clone(), config.calib.out.clone()]).collect();
        let here = Path::new(".");
        if !config.provenance.keep_diff {
            return Ok(Self { record: git::read(here, &reads)?, patch: Vec::new() });
        }
        let Some((mut record, patch)) = git::read_with_patch(here, &reads)? else {
            return Ok(Self { record: None, patch: Vec::new() });
        };
        record.patch = (!patch.is_empty()).then(|| RelativePath::parse(UNCOMMITTED_PATCH)).transpose()?;
        Ok(Self { record: Some(record), patch })
    }

    /// Writes the uncommitted changes, if they are kept, into the run directory.
    pub fn write(&self, run: &RunDirectory) -> Result<()> {
        if !self.patch.is_empty() {
            std::fs::create_dir_all(durable::folder_of(&run.root().join(UNCOMMITTED_PATCH)))?;
            run.write_file(UNCOMMITTED_PATCH, &self.patch)?;
        }
        Ok(())
    }
}

/// The variables whose values choose how a run computes: ours, and those that the libraries it computes with read.
const SHOWN_VARIABLES: [&str; 12] = [
    CPU_LEVEL_VARIABLE,
    "RAYON_NUM_THREADS",
    "RAYON_RS_NUM_CPUS",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_PATH",
    "CUBECL_AUTOTUNE_LEVEL",
    "CUBECL_DEBUG_OPTION",
    "CUBECL_WGPU_DEFAULT_DEVICE",
    "CUBECL_WGPU_MAX_TASKS",
    "AUTO_GRAPHICS_BACKEND",
    "VK_DRIVER_FILES",
    "VK_ICD_FILENAMES",
];

/// The variables that lead to a key.
const WITHHELD_VARIABLES: [&str; 2] = ["SPECTRAMIND_PASSPHRASE", "SPECTRAMIND_SIGNING_KEY"];

/// The environment variables that the run reads, and no others. What a config names may be a secret: its value shows
/// in the composed config or nowhere.
fn variables(composed: &Config, told: &[String]) -> Result<Vec<Variable>> {
    let names = composed.environment_names()?;
    let told = told.iter().map(|name| Variable::shown(name, std::env::var_os(name).as_deref()));
    let shown = SHOWN_VARIABLES.iter().map(|name| Variable::shown(name, std::env::var_os(name).as_deref()));
    let withheld = WITHHELD_VARIABLES.iter().copied().chain(names.iter().map(String::as_str));
    let withheld = withheld.map(|name| Variable::withheld(name, std::env::var_os(name).is_some()));
    Ok(shown.chain(told).chain(withheld).collect())
}

/// Gathers what the run starts from.
pub fn origin(
    composed: &Config,
    name: &str,
    config: &TrainConfig,
    id: &str,
    data: &DataSets,
    sources: &Sources,
    choice: &Choice,
) -> Result<RunOrigin> {
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let environment = Environment::collect(&program, variables(composed, &config.provenance.variables)?)?;
    Ok(RunOrigin {
        run: RunRecord {
            id: id.to_owned(),
            experiment: config.experiment.clone(),
            challenge: config.record.challenge.clone(),
            nonce: config.record.nonce.clone(),
        },
        workload: WORKLOAD.to_owned(),
        config: config_record(composed, name)?,
        git: sources.record.clone(),
        data: data.0.iter().map(|set| set.record.clone()).collect(),
        device: device_record(choice),
        environment,
        numerics: numerics_record(&config.trainer),
        seed: DecimalU64(config.trainer.seed),
        started_at: now(),
    })
}

fn device_record(choice: &Choice) -> DeviceRecord {
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

fn numerics_record(trainer: &TrainerSettings) -> NumericsRecord {
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
pub fn config_record(composed: &Config, name: &str) -> Result<ConfigRecord> {
    let sources = composed.sources().iter().map(|source| -> Result<_> {
        let path = RelativePath::parse(&source.path)?;
        Ok(ConfigSource { path, size: source.size, blake3: source.blake3.into() })
    });
    let number = match composed.hydra_value("job.num")? {
        Value::Int(number) => Some(number.try_into().context("hydra.job.num is no number of a job")?),
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
        sources: sources.collect::<Result<_>>()?,
    })
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

/// The task's own choices: Hydra's about itself change nothing of a run.
fn choices(composed: &Config) -> Vec<ConfigChoice> {
    let own = composed.choices().iter().filter(|(group, _)| !group.starts_with("hydra/"));
    let choice = |(group, option): &(String, Option<String>)| ConfigChoice {
        group: group.clone(),
        option: option.clone().unwrap_or_else(|| "null".into()),
    };
    own.map(choice).collect()
}

/// Writes `provenance.json` into a new run directory.
pub fn write_origin(run: &RunDirectory, origin: &RunOrigin) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(origin)?;
    text.push(b'\n');
    Ok(run.write_file(ORIGIN, &text)?)
}

/// Reads `provenance.json` of a run.
pub fn read_origin(run: &Path) -> Result<RunOrigin> {
    let path = run.join(ORIGIN);
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    strict_json::from_slice(&bytes).with_context(|| format!("{} is not what a run starts from", path.display()))
}

/// Signs what the run directory holds and writes the manifest; returns the step root.
pub fn sign(
    run: &RunDirectory,
    origin: RunOrigin,
    config: &TrainConfig,
    trained: &Trained,
    wall_seconds: f64,
    key: &SigningKey,
) -> Result<Blake3Digest> {
    run.check_unchanged().context("the run is not signed")?;
    let step_root = check_step_log(run, trained.steps)?;
    check_final_checkpoint(run, trained)?;
    let figures = Figures {
        wall_seconds,
        peak_host_bytes: peak_host_bytes(),
        peak_device_bytes: trained.peak_device_bytes,
        network: NetworkFigure { mode: config.envelope.network, enforcement: Enforcement::SelfAsserted },
    };
    let metric = |metric: &crate::engine::task::Metric| -> Result<_> {
        let samples = DecimalU64(trained.test_samples);
        Ok(MetricRecord { name: metric.name.clone(), value: ExactF64::new(metric.value)?, samples })
    };
    let (subjects, files) = signed_files(run.root())?;
    let predicate = TrainingRun {
        run: origin.run,
        workload: origin.workload,
        config: origin.config,
        git: origin.git,
        data: origin.data,
        environment: origin.environment,
        device: origin.device,
        numerics: origin.numerics,
        seed: origin.seed,
        steps: StepsRecord { count: trained.steps, merkle_root: step_root, file: RelativePath::parse(STEP_LOG)? },
        checkpoints: vec![CheckpointRecord {
            file: RelativePath::parse(FINAL_CHECKPOINT)?,
            step: trained.steps,
            state_digest: trained.state_digest,
        }],
        files,
        metrics: trained.metrics.iter().map(metric).collect::<Result<_>>()?,
        envelope: EnvelopeRecord {
            bounds: (&config.envelope.bounds()).into(),
            figures: FiguresRecord::try_from(&figures)?,
        },
        exit: ExitRecord { reason: exit_reason(trained.exit) },
        started_at: origin.started_at,
        finished_at: now(),
    };
    let statement = Statement::new(subjects, predicate)?;
    let provenance = Statement::new(statement.subject.clone(), Provenance::of(&statement.predicate))?;
    let bundle = [signed_line(&statement, key)?, signed_line(&provenance, key)?].concat();
    run.write_file(MANIFEST, &bundle)?;
    Ok(step_root)
}

/// A signed statement as a line of a bundle.
pub fn signed_line<P: Predicate>(statement: &Statement<P>, key: &SigningKey) -> Result<Vec<u8>> {
    Ok(Envelope::sign(&strict_json::to_vec(statement)?, &[key])?.to_line()?)
}

/// Reads the step log back: what is signed is what is on disk, complete. Writes the leaf hashes beside it.
fn check_step_log(run: &RunDirectory, steps: u64) -> Result<Blake3Digest> {
    let lines = complete_lines(&run.root().join(STEP_LOG))?;
    if lines.len() as u64 != steps {
        return Err(Failure::new(format!(
            "{STEP_LOG} of {}: expected {steps} leaves, got {}; the run is not signed",
            run.root().display(),
            lines.len()
        )));
    }
    let hashes: String = lines.iter().map(|line| format!("{}\n", leaf_hash(line.as_bytes()))).collect();
    run.write_file(STEP_LEAVES, hashes.as_bytes())?;
    let mut log = MerkleLog::new();
    for line in &lines {
        log.append(line.as_bytes());
    }
    Ok(log.root())
}

/// Reads the final checkpoint back: it must be the state that was claimed, also where another process wrote it.
fn check_final_checkpoint(run: &RunDirectory, trained: &Trained) -> Result<()> {
    let path = run.root().join(FINAL_CHECKPOINT);
    let (expected, got) = (trained.state_digest, Snapshot::read(&path)?.state_digest());
    if got != expected {
        return Err(Failure::new(format!(
            "{}: expected a state with digest {expected}, got {got}; the run is not signed",
            path.display()
        )));
    }
    Ok(())
}

/// Every file of the run directory but the manifest and what a verifier says about an earlier one, in path order.
fn signed_files(root: &Path) -> Result<(Vec<Subject>, Vec<FileRecord>)> {
    let (mut subjects, mut files) = (Vec::new(), Vec::new());
    for file in ReadData::of_tree(root)?.manifest().files() {
        if ![MANIFEST, VERDICT].contains(&file.path.as_str()) {
            let digest = FileDigest::of_file(&root.join(file.path.as_str()))?;
            subjects.push(Subject::new(file.path.clone(), digest.sha256));
            files.push(FileRecord { path: file.path.clone(), size: DecimalU64(digest.size) });
        }
    }
    Ok((subjects, files))
}

fn exit_reason(exit: Exit) -> ExitReason {
    match exit {
        Exit::Completed => ExitReason::Completed,
        Exit::EarlyStopped => ExitReason::EarlyStopped,
        Exit::MaxTime => ExitReason::MaxTime,
        Exit::StepLimit | Exit::Interrupted => ExitReason::Interrupted,
    }
}

/// The calendar time, to the second.
pub fn now() -> UtcTime {
    let now = jiff::Timestamp::now();
    UtcTime(jiff::Timestamp::from_second(now.as_second()).unwrap_or(now))
}

/// What the clock shows where the program runs, as the variable `TZ` or the system says, to the microsecond: as `%f` has it.
pub fn local_now() -> jiff::Zoned {
    let now = jiff::Timestamp::now();
    let now = jiff::Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
    now.to_zoned(jiff::tz::TimeZone::system())
}

/// Starts the measuring of [`peak_host_bytes`] anew: a multirun's runs share a process. Without effect where the
/// system has no such thing; the peak is then that of all runs so far, which is never too small.
pub fn forget_peak_memory() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Most memory this process ever held, where the system tells.
fn peak_host_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
