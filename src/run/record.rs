//! Training a workload and signing what was done.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use super::data::{DataSets, HashedSet};
use super::loggers;
use super::memory;
use super::origin::{self, read_origin};
use super::place::{Place, met_wall_limit, newest_checkpoint, run_id, unused};
use super::ranks::Ranks;
use super::sign::{self, Outcome, Signed};
use super::training::{Following, Training, plan};
use super::{Crew, Sources, Surroundings, Team};
use crate::config::Config;
use crate::digest::FileDigest;
use crate::engine::device::{Choice, Kind};
use crate::engine::fit::{self, Event, FitEnd, FitPlan, WallLimit};
use crate::engine::reference;
use crate::engine::repro::NUMERICS_VERSION;
use crate::engine::run_dir::RunDirectory;
use crate::engine::settings::Numerics;
use crate::engine::snapshot::Snapshot;
use crate::envelope::{Enforcement, NetworkFigure, NetworkMode, NetworkRule};
use crate::event_log::RunEvent;
use crate::failure::{Context, Failure};
use crate::logger::{End, Warnings};
use crate::manifest::key::SigningKey;
use crate::manifest::origin::{ComputationOrigin, ORIGIN, RunOrigin, TrainingOrigin};
use crate::manifest::predicate::{Computation, RunRecord, StretchRecord, TrainingRecord};
use crate::manifest::strict_json::{DecimalU64, ExactF64};
use crate::network;
use crate::provenance::data::DigestCache;
use crate::provenance::path::RelativePath;
use crate::verify::MANIFEST;
use crate::workload::{CheckedConfig, Progress, Workload};

/// What a run is made from.
pub struct Recording<'a> {
    /// The composed config.
    pub config: &'a Config,
    /// Where it goes.
    pub place: Place,
    /// Who computes it. In several processes, this one's is rank 0, and the others [`assist`].
    pub crew: Crew<'a>,
    /// Begins the run in its directory: makes it the one that this run has, and writes Hydra's record there.
    pub begin: &'a mut dyn FnMut(&Path) -> Result<(), Failure>,
    /// Digests of data that were read before.
    pub cache: Option<&'a DigestCache>,
    /// The world around it.
    pub surroundings: Surroundings<'a>,
    /// The key it is signed with.
    pub key: &'a SigningKey,
    /// Hears what is going on.
    pub news: &'a mut (dyn FnMut(News<'_>) + Send),
}

/// What is going on.
pub enum News<'a> {
    /// The device and the arithmetic were chosen: in words.
    Computing(&'a str),
    /// Something takes long.
    Progress(Progress<'a>),
    /// The run goes on after so many steps.
    GoingOn(u64),
    /// The run begins, from this.
    Begun(&'a RunOrigin),
    /// Something went wrong that does not keep the run from being made.
    Warning(&'a str),
    /// The engine trains.
    Event(Event<'a>),
    /// Training ended.
    Trained(&'a FitEnd),
}

/// Trains and signs a run, from a composed config to a manifest.
///
/// # Errors
/// Whatever keeps the run from being made or signed. What was checkpointed stays usable.
pub fn record<W: Workload>(workload: &W, recording: Recording<'_>) -> Result<Signed, Failure> {
    let Recording { config, place, crew, begin, cache, surroundings, key, news } = recording;
    let composed = Composed::of(workload, config, crew, surroundings.program)?;
    news(News::Computing(&composed.computing()));
    let ranks = composed.team.ranks().cloned();
    let prepared = composed.prepare(cache, surroundings.elapsed, &mut |progress| news(News::Progress(progress)));
    let prepared = match &ranks {
        Some(ranks) => {
            // Rank 0 makes the data that are missing here, then one rank of every other host there; then all read them.
            ranks.agree(prepared.as_ref().map(drop).map_err(Clone::clone))?;
            ranks.agree(Ok(()))?;
            agreed_on_data(ranks, prepared)?
        }
        None => prepared?,
    };
    let started = prepared.start(place, &surroundings, begin);
    let started = match &ranks {
        Some(ranks) => {
            let checkpoint = started.as_ref().map(|started| started.checkpoint.as_ref().map(Snapshot::to_bytes));
            ranks.agree(checkpoint.as_ref().map(drop).map_err(|failure| (*failure).clone()))?;
            ranks.broadcast(checkpoint.ok().flatten().unwrap_or_default())?;
            started?
        }
        None => started?,
    };
    if let Some(step) = started.goes_on_after() {
        news(News::GoingOn(step));
    }
    news(News::Begun(started.origin()));
    let warnings = started.warnings();
    let trained = started.train(&surroundings, &mut |event| {
        let is_step = matches!(event, Event::Step { .. });
        news(News::Event(event));
        warnings.take().iter().for_each(|warning| news(News::Warning(warning)));
        // After a step, and not before the first: a run without steps is none.
        if is_step && (surroundings.interruption)().is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    news(News::Trained(trained.end()));
    let signed = trained.sign(&surroundings, key);
    warnings.take().iter().for_each(|warning| news(News::Warning(warning)));
    signed
}

/// Computes a worker's part of a run that rank 0 records, in another process than that. It writes nothing but data that rank 0 has
/// not made here already.
///
/// # Errors
/// Whatever keeps this or another rank from it; rank 0 has the same one to tell.
pub fn assist<W: Workload>(
    workload: &W,
    config: &Config,
    ranks: &Ranks,
    cache: Option<&DigestCache>,
    program: &Path,
) -> Result<(), Failure> {
    let composed = Composed::of(workload, config, Crew::Ranks(ranks), program)?;
    ranks.agree(Ok(()))?;
    let prepared = match ranks.local_rank() {
        0 => {
            let prepared = composed.prepare(cache, &|| Duration::ZERO, &mut |_| {});
            ranks.agree(prepared.as_ref().map(drop).map_err(Clone::clone))?;
            prepared
        }
        _ => {
            ranks.agree(Ok(()))?;
            composed.prepare(cache, &|| Duration::ZERO, &mut |_| {})
        }
    };
    let prepared = agreed_on_data(ranks, prepared)?;
    ranks.agree(Ok(()))?;
    let checkpoint = ranks.broadcast(Vec::new())?;
    let checkpoint = match &checkpoint[..] {
        [] => None,
        bytes => Some(Snapshot::from_bytes(bytes, Path::new("worker 0's checkpoint"))?),
    };
    let Composed { workload, checked, team, .. } = &prepared.composed;
    let plan = plan(*workload, checked, None, &|| Duration::ZERO);
    let task = &prepared.task;
    let follow = |member, choice: &Choice| choice.device.run(Following { task, plan: &plan, checkpoint, member });
    Ok(team.follow(follow)?)
}

/// What a rank has prepared, if all have the same data.
fn agreed_on_data<'a, W: Workload>(
    ranks: &Ranks,
    prepared: Result<Prepared<'a, W>, Failure>,
) -> Result<Prepared<'a, W>, Failure> {
    let roots = prepared.as_ref().map(|prepared| prepared.data.digests()).map_err(Clone::clone);
    let all = ranks.agree(roots)?;
    let hint = "let every host read the same files, from a shared folder or a copy of it";
    ranks.compare("data", all.iter().map(String::as_str), hint)?;
    prepared
}

/// A config that was read and checked, and the workers that compute it.
pub struct Composed<'a, W: Workload> {
    workload: &'a W,
    config: &'a Config,
    checked: CheckedConfig<W>,
    team: Team,
    /// What keeps the network away, if anything does.
    denied: Option<NetworkFigure>,
}

impl<'a, W: Workload> Composed<'a, W> {
    /// Reads a config, refuses by key what cannot be done, denies the network to this process for good where the config says so, and
    /// chooses a device for every worker. `program` is this program's file: several processes have to be of the same.
    ///
    /// # Errors
    /// What is wrong with the config, or that the network cannot be denied, or that there is no such device; that another rank has
    /// another program or config.
    pub fn of(workload: &'a W, config: &'a Config, crew: Crew<'_>, program: &Path) -> Result<Self, Failure> {
        let mut denied = None;
        // Before any device is asked for, whose driver starts threads.
        let checked = CheckedConfig::of(workload, config).and_then(|checked| {
            if checked.settings().envelope.network == NetworkRule::Deny {
                refuse_ranks(&crew)?;
                denied = Some(network::deny()?);
            }
            Ok(checked)
        });
        let team = match crew {
            Crew::Threads(workers) => Team::of(checked.as_ref().map_err(Clone::clone)?.trainer(), workers)?,
            Crew::Ranks(ranks) => {
                let facts = || -> Result<_, Failure> {
                    let binary =
                        FileDigest::of_file(program).with_context(|| format!("cannot read {}", program.display()))?;
                    Ok((binary.blake3.to_string(), config.digest()?.to_string()))
                };
                let facts = facts();
                let trainer = match (&checked, &facts) {
                    (Ok(checked), Ok(_)) => Ok(checked.trainer()),
                    (Err(failure), _) | (_, Err(failure)) => Err(failure.clone()),
                };
                let (program, config) = facts.clone().unwrap_or_default();
                Team::among(ranks, program, config, trainer)?
            }
        };
        Ok(Self { workload, config, checked: checked?, team, denied })
    }

    /// The network that the run had: what keeps it away, or this program's own word, which looks for sockets that are open. Those
    /// that an MPI has between processes of one machine are not looked at.
    fn network(&self) -> NetworkFigure {
        let mode = match (self.checked.settings().envelope.network, self.team.hosts()) {
            (NetworkRule::Unrestricted, _) | (_, 2..) => NetworkMode::Unrestricted,
            (_, 1) if self.team.ranks().is_none() && network::is_open() => NetworkMode::Unrestricted,
            _ => NetworkMode::None,
        };
        self.denied.unwrap_or(NetworkFigure { mode, enforcement: Enforcement::SelfAsserted })
    }

    /// Device and arithmetic, and why that device.
    pub fn computing(&self) -> String {
        let (trainer, computing, why) = (self.checked.trainer(), self.team.in_words(), &self.team.leader().why);
        let numerics = match trainer.numerics {
            Numerics::Portable => format!("portable numerics {NUMERICS_VERSION}"),
            Numerics::Native => "native numerics".to_owned(),
        };
        format!("{computing}, {numerics}, precision {}: chosen because {why}", trainer.precision)
    }

    /// Makes the data sets that are missing and can be made, hashes each once, and builds the task from the lists made
    /// then: each file is checked against them as it is read. `elapsed` is a monotonic clock, by which hashing is measured: what is
    /// signed is hashed again.
    ///
    /// # Errors
    /// When the data cannot be had, or the task cannot be trained with this config.
    pub fn prepare(
        self,
        cache: Option<&DigestCache>,
        elapsed: &dyn Fn() -> Duration,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Prepared<'a, W>, Failure> {
        let (own, mut data, mut hashing) = (self.checked.own(), DataSets::default(), Duration::ZERO);
        for (number, set) in self.workload.data_sets(own).into_iter().enumerate() {
            self.workload.prepare(own, number, &data.listed(), progress)?;
            let stage = format!("hashing {}", set.root.display());
            progress(Progress { stage: &stage, done: 0, total: 1, unit: "" });
            let began = elapsed();
            data.push(HashedSet::hash(set, self.checked.settings().provenance.dvc, cache)?);
            hashing += elapsed().saturating_sub(began);
        }
        let task = self.workload.task(own, &data.listed())?;
        fit::check(&task, &plan(self.workload, &self.checked, None, &|| Duration::ZERO))?;
        // Digests that were remembered took no time, and what is in no memory is read from a disk.
        let signing = SIGNING + hashing.max(Duration::from_secs(data.bytes() / READ_BYTES_PER_SECOND));
        Ok(Prepared { composed: self, data, task, signing })
    }
}

/// Processes that a launcher started talk through sockets that it opened before anything could be denied.
fn refuse_ranks(crew: &Crew<'_>) -> Result<(), Failure> {
    match crew {
        Crew::Threads(_) => Ok(()),
        Crew::Ranks(ranks) => Err(Failure::usage(
            format!(
                "envelope.network=deny: expected the workers of one process, got {} processes of an MPI launcher, which talk over the \
                 network",
                ranks.size()
            ),
            "let workers of this machine make the run, without a launcher (trainer=multi_gpu), or set envelope.network=observe",
        )),
    }
}

/// What signing takes beside reading the data again.
const SIGNING: Duration = Duration::from_millis(500);
/// Bytes of data that are read again in a second at least.
const READ_BYTES_PER_SECOND: u64 = 256 << 20;

/// A task, and the data that it was built from.
pub struct Prepared<'a, W: Workload> {
    composed: Composed<'a, W>,
    data: DataSets,
    task: W::Task,
    /// About how long signing takes.
    signing: Duration,
}

impl<'a, W: Workload> Prepared<'a, W> {
    /// Makes the run directory, or goes on with it, and writes what the run starts from.
    ///
    /// # Errors
    /// When the directory is not this run's to have; when a run that goes on began with something else.
    pub fn start(
        self,
        place: Place,
        surroundings: &Surroundings<'_>,
        begin: &mut dyn FnMut(&Path) -> Result<(), Failure>,
    ) -> Result<Started<'a, W>, Failure> {
        if let Place::Begun(root) = &place
            && root.exists()
        {
            if root.join(ORIGIN).exists() {
                return self.resume(root, surroundings);
            }
            // Killed before there was anything to go on with.
            let aside = unused(&root.with_extension("unfinished"));
            std::fs::rename(root, &aside).with_context(|| format!("cannot rename {}", root.display()))?;
        }
        self.start_anew(place, surroundings, begin)
    }

    fn sources(&self) -> Result<Sources, Failure> {
        let configs = self.composed.config.sources().iter().filter_map(|source| source.absolute.clone());
        let reads: Vec<_> = configs.chain(self.data.roots().map(Path::to_owned)).collect();
        Sources::read(&reads, self.composed.checked.settings().provenance.keep_diff)
    }

    fn origin(&self, id: &str, name: &str, sources: &Sources, world: &Surroundings<'_>) -> Result<RunOrigin, Failure> {
        let Composed { workload, config, checked, team, .. } = &self.composed;
        let (settings, trainer) = (checked.settings(), checked.trainer());
        let about = origin::About {
            run: RunRecord {
                id: id.to_owned(),
                experiment: settings.experiment.clone(),
                challenge: settings.record.challenge.clone(),
                nonce: settings.record.nonce.clone(),
            },
            workload: workload.name(),
            config_name: name,
            told: &settings.provenance.variables,
            environment: &[],
            computation: ComputationOrigin::Training(TrainingOrigin {
                device: origin::device_record(team.leader()),
                stretches: StretchRecord::listed(
                    &origin::device_record(team.leader()),
                    team.stretches(Vec::new(), 0, self.host(world)),
                ),
                numerics: origin::numerics_record(trainer),
                seed: DecimalU64(trainer.seed),
            }),
        };
        origin::origin(about, config, &self.data, sources, world)
    }

    /// The name of this host, where it is recorded.
    fn host<'b>(&self, world: &Surroundings<'b>) -> Option<&'b str> {
        world.host.filter(|_| self.composed.checked.settings().record.hosts)
    }

    fn start_anew(
        self,
        place: Place,
        surroundings: &Surroundings<'_>,
        begin: &mut dyn FnMut(&Path) -> Result<(), Failure>,
    ) -> Result<Started<'a, W>, Failure> {
        let Composed { config, checked, .. } = &self.composed;
        let settings = checked.settings();
        let digest = config.digest()?.to_string();
        let id = run_id(surroundings, &digest);
        let root = match place.directory() {
            Some(directory) => directory.to_owned(),
            None => unused(&settings.run.root.join(&settings.experiment).join(&id)),
        };
        let sources = self.sources()?;
        let origin = self.origin(&id, config.config_name().unwrap_or(PRIMARY), &sources, surroundings)?;
        let mut run = RunDirectory::create(&root, settings.logger)?;
        begin(&root)?;
        origin::write_beginning(run.files(), &origin, &self.data, &sources)?;
        let began = RunEvent::Begun { run: id, config: origin.config.digest };
        run.record((surroundings.elapsed)().as_secs_f64(), 0, began)?;
        let warnings = loggers::attach(self.composed.config, settings.logger, &mut run, &origin.run, surroundings);
        let wall = self.wall_limit(Duration::ZERO);
        Ok(Started {
            prepared: self,
            run,
            origin,
            checkpoint: None,
            unmeasured: false,
            goes_on_after: None,
            wall,
            warnings,
        })
    }

    fn resume(self, root: &Path, surroundings: &Surroundings<'_>) -> Result<Started<'a, W>, Failure> {
        let logger = self.composed.checked.settings().logger;
        let recorded = read_origin(root)?;
        let sources = self.sources()?;
        let found = self.origin(&recorded.run.id, &recorded.config.name, &sources, surroundings)?;
        let refuse = |what: String| {
            let hint = "bring back what it began with, or begin a new run";
            Err(Failure::new(format!("{}: expected {what}", root.display())).with_hint(hint))
        };
        if let Some(difference) = recorded.first_difference(&found) {
            return refuse(format!("the {difference} the run began with, got another"));
        }
        if !logger.events {
            return refuse("logs/events.jsonl (logger.events=true) to count the time so far, got none".into());
        }
        let met_its_limit = met_wall_limit(root);
        let checkpoint = newest_checkpoint(root)?;
        let step = checkpoint.as_ref().map_or(0, |snapshot| snapshot.progress.position.step);
        let mut run = RunDirectory::resume(root, logger, step, MANIFEST)?;
        self.data.write(run.files())?;
        run.record((surroundings.elapsed)().as_secs_f64(), step, RunEvent::Resumed)?;
        let warnings = loggers::attach(self.composed.config, logger, &mut run, &recorded.run, surroundings);
        let (began, now) = match (recorded.computation.clone(), found.computation) {
            (ComputationOrigin::Training(began), ComputationOrigin::Training(now)) => (began, now),
            _ => return refuse("a training, got a command".into()),
        };
        let before = StretchRecord::of(&began.device, &began.stretches);
        let devices = before.iter().flat_map(|stretch| &stretch.workers).map(|worker| &worker.device);
        let unmeasured =
            devices.chain([&began.device, &now.device]).any(|device| device.accelerator != Kind::Cpu.name());
        let stretches = self.composed.team.stretches(before.clone(), step, self.host(surroundings));
        // Who made the stretch so far has to be known when this one is cut as well.
        let listed = StretchRecord::listed(&began.device, stretches.clone());
        let recorded = RunOrigin {
            computation: ComputationOrigin::Training(TrainingOrigin { stretches: listed, ..began }),
            ..recorded
        };
        origin::write_origin(run.files(), &recorded)?;
        let stretches = StretchRecord::listed(&now.device, stretches);
        let computation = ComputationOrigin::Training(TrainingOrigin { stretches, ..now });
        let origin = RunOrigin { environment: found.environment, computation, ..recorded };
        // Whoever goes on with a run that had used its time up gives it as much again; the figure is the sum, and says so.
        let before = if met_its_limit { 0.0 } else { run.elapsed_before_seconds() };
        let wall = self.wall_limit(Duration::try_from_secs_f64(before).unwrap_or_default());
        Ok(Started { prepared: self, run, origin, checkpoint, unmeasured, goes_on_after: Some(step), wall, warnings })
    }

    /// What is left of the limit on wall time, to a process that begins when so much is used up.
    fn wall_limit(&self, before: Duration) -> Option<WallLimit> {
        let limit = Duration::from_secs(self.composed.checked.settings().envelope.wall_seconds?);
        Some(WallLimit { limit: limit.saturating_sub(before), signing: self.signing })
    }
}

/// The name of the primary config of a training.
pub(super) const PRIMARY: &str = "train";

/// A run with a directory, which says what it starts from.
pub struct Started<'a, W: Workload> {
    prepared: Prepared<'a, W>,
    run: RunDirectory,
    origin: RunOrigin,
    checkpoint: Option<Snapshot>,
    /// Whether another process may have held device memory for this run, which nobody can measure any more.
    unmeasured: bool,
    goes_on_after: Option<u64>,
    wall: Option<WallLimit>,
    warnings: Warnings,
}

impl<'a, W: Workload> Started<'a, W> {
    /// What goes wrong with loggers, from here on to the signature.
    pub fn warnings(&self) -> Warnings {
        self.warnings.clone()
    }

    /// What the run starts from.
    pub fn origin(&self) -> &RunOrigin {
        &self.origin
    }

    /// The steps done by an earlier process, of a run that goes on.
    pub fn goes_on_after(&self) -> Option<u64> {
        self.goes_on_after
    }

    /// Trains to the end that the config plans, and writes the workload's files.
    ///
    /// # Errors
    /// What training or writing fails with; [`MemoryError`](super::MemoryError) when it held more than it may, with its state written.
    pub fn train(
        self,
        surroundings: &Surroundings<'_>,
        observer: &mut (dyn FnMut(Event<'_>) -> ControlFlow<()> + Send),
    ) -> Result<Trained<'a, W>, Failure> {
        let Surroundings { elapsed, peak_host_bytes, .. } = *surroundings;
        let Self { prepared, mut run, origin, checkpoint, unmeasured, wall, .. } = self;
        let Composed { workload, checked, team, .. } = &prepared.composed;
        let in_lockstep = checked.trainer().sync_batchnorm;
        let bounds = checked.settings().envelope.bounds();
        memory::check_measured(&bounds, peak_host_bytes())?;
        // Worker 0's. Of several ranks the others wait for their first sum meanwhile.
        let reference_seconds = reference::seconds(&team.leader().device, elapsed);
        let (mut peak, mut exceeded) = (Some(0), None);
        let mut watched = |event: Event<'_>| {
            if let Event::Step { leaf, .. } = event {
                peak = peak.zip(team.held_bytes(in_lockstep)).map(|(peak, held)| peak.max(held));
                exceeded = memory::exceeded(&bounds, leaf.step, peak_host_bytes, peak);
            }
            let observed = observer(event);
            if exceeded.is_some() { ControlFlow::Break(()) } else { observed }
        };
        let plan = FitPlan { wall, ..plan(*workload, checked, None, elapsed) };
        let training = Training {
            workload: *workload,
            task: &prepared.task,
            plan: &plan,
            checkpoint,
            run: &mut run,
            is_watched: true,
        };
        let (end, outputs) = training.on(team, &mut watched)?;
        // The last state has been written.
        exceeded.map_or(Ok(()), Err)?;
        // What another process held nobody knows any more.
        let peak_device_bytes = peak.filter(|_| !unmeasured);
        Ok(Trained { prepared, run, origin, end, outputs, peak_device_bytes, reference_seconds })
    }
}

/// A run that ended, and is not signed yet.
pub struct Trained<'a, W: Workload> {
    prepared: Prepared<'a, W>,
    run: RunDirectory,
    origin: RunOrigin,
    end: FitEnd,
    outputs: Vec<RelativePath>,
    peak_device_bytes: Option<u64>,
    reference_seconds: f64,
}

impl<W: Workload> Trained<'_, W> {
    /// How it ended.
    pub fn end(&self) -> &FitEnd {
        &self.end
    }

    /// Reads data and files again, and signs the run.
    ///
    /// # Errors
    /// When anything changed since it was hashed or written.
    pub fn sign(self, surroundings: &Surroundings<'_>, key: &SigningKey) -> Result<Signed, Failure> {
        let Self {
            prepared: Prepared { composed, data, .. }, mut run, origin, end, outputs, peak_device_bytes, ..
        } = self;
        let reference_seconds = Some(ExactF64::new(self.reference_seconds)?);
        // A list of data that rests on remembered digests is not signed unseen.
        data.check_unchanged()?;
        run.check_unchanged().context("the run is not signed")?;
        let steps = sign::steps_record(&run, end.steps)?;
        let (checkpoints, step_root) = (vec![sign::checkpoint_record(&run, &end)?], steps.merkle_root);
        let (audit_points, events) = (sign::audit_point_records(&run)?, sign::events_record(&run)?);
        let ComputationOrigin::Training(training) = origin.computation.clone() else {
            unreachable!("a run that the engine trained began as a training");
        };
        let TrainingOrigin { device, stretches, numerics, seed } = training;
        let stretches = StretchRecord::made(StretchRecord::of(&device, &stretches), end.steps);
        let stretches = StretchRecord::listed(&device, stretches);
        let outcome = Outcome {
            computation: Computation::Training(TrainingRecord {
                device,
                stretches,
                reference_seconds,
                numerics,
                seed,
                steps,
                checkpoints,
                audit_points,
                events,
            }),
            outputs,
            metrics: end.metrics.iter().map(|metric| (metric.clone(), end.test_samples)).collect(),
            bounds: composed.checked.settings().envelope.bounds(),
            network: composed.network(),
            wall_seconds: run.elapsed_before_seconds() + (surroundings.elapsed)().as_secs_f64(),
            peak_host_bytes: (surroundings.peak_host_bytes)(),
            peak_device_bytes,
            exit: end.exit.reason(),
        };
        run.end_loggers(&End {
            exit: outcome.exit.words().to_owned(),
            step_root: step_root.to_string(),
            elapsed_seconds: outcome.wall_seconds,
        });
        run.check_unchanged().context("the run is not signed")?;
        let origin = sign::sign(run.files(), origin, outcome, surroundings, key)?;
        Ok(Signed { root: run.root().to_owned(), origin, step_root: Some(step_root) })
    }
}
