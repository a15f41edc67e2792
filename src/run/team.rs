//! Who computes a run: a device for every worker, and what is recorded of them.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::origin::device_record;
use super::ranks::Ranks;
use crate::engine::device::{self, Choice, Kind};
use crate::engine::settings::{Devices, Numerics, SupportedTrainer};
use crate::engine::workers::{Member, together};
use crate::failure::Failure;
use crate::manifest::predicate::{StretchRecord, WorkerRecord};
use crate::manifest::strict_json::DecimalU64;

/// Who is at hand to compute a run.
#[derive(Debug, Clone, Copy)]
pub enum Crew<'a> {
    /// This process: a thread for each of as many workers as the config says, or of this many.
    Threads(Option<u32>),
    /// The processes that a launcher started: each is a worker.
    Ranks(&'a Ranks),
}

/// The workers of a run, each with its device; worker 0 leads.
pub struct Team {
    computing: Computing,
    timeout: Duration,
}

enum Computing {
    /// In this process, each with a device.
    Threads(Vec<Choice>),
    /// One in this process, and what the others compute on.
    Ranks { own: Box<Choice>, workers: Vec<WorkerRecord>, ranks: Ranks },
}

/// What has to be the same for all ranks, and what each computes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct RankFacts {
    program: String,
    config: String,
    device: WorkerRecord,
}

impl Team {
    /// The workers that a trainer profile asks for, or another number of them, in this process.
    ///
    /// # Errors
    /// When there is no such device, or the micro-shards cannot be divided among so many.
    pub fn of(trainer: &SupportedTrainer, workers: Option<u32>) -> Result<Self, Failure> {
        let devices = workers.map_or(trainer.devices, Devices::Count);
        let choices = device::choose_for_workers(trainer, devices)?;
        trainer.check_workers(choices.len() as u64)?;
        Ok(Self { computing: Computing::Threads(choices), timeout: trainer.worker_timeout.0 })
    }

    /// The ranks that were started, after each has said which program, config and device it has. `trainer` is what the config
    /// comes to here, if it comes to anything.
    ///
    /// # Errors
    /// The first of what is wrong with any of them, on all of them.
    pub fn among(
        ranks: &Ranks,
        program: String,
        config: String,
        trainer: Result<&SupportedTrainer, Failure>,
    ) -> Result<Self, Failure> {
        let timeout = trainer.as_ref().map_or(Duration::MAX, |trainer| trainer.worker_timeout.0);
        let is_native = trainer.as_ref().is_ok_and(|trainer| trainer.numerics == Numerics::Native);
        let mut choice = None;
        let facts = trainer.and_then(|trainer| {
            trainer.check_workers(ranks.size() as u64)?;
            let own = device::choose_for_rank(trainer, ranks.rank(), ranks.local_rank())?;
            let device = WorkerRecord { device: device_record(&own), host: None };
            choice = Some(own);
            Ok(RankFacts { program, config, device })
        });
        let all = ranks.agree(facts)?;
        let hint = "start the same program with the same arguments on every host";
        ranks.compare("program", all.iter().map(|facts| facts.program.as_str()), hint)?;
        ranks.compare("composed config", all.iter().map(|facts| facts.config.as_str()), hint)?;
        if is_native {
            let hint = "native numerics are those of one kind: name it, trainer.accelerator=cuda";
            ranks.compare("kind of device", all.iter().map(|facts| facts.device.device.accelerator.as_str()), hint)?;
        }
        let workers = all.into_iter().zip(ranks.hosts());
        let workers = workers.map(|(facts, host)| WorkerRecord { host: Some(host), ..facts.device }).collect();
        let own = Box::new(choice.expect("all have a device"));
        Ok(Self { computing: Computing::Ranks { own, workers, ranks: ranks.clone() }, timeout })
    }

    /// One device, and nobody else.
    pub fn alone(choice: Choice) -> Self {
        Self::of_equals(choice, 1)
    }

    /// So many workers in this process, at least one, on the same device.
    pub(super) fn of_equals(choice: Choice, workers: usize) -> Self {
        Self { computing: Computing::Threads(vec![choice; workers.max(1)]), timeout: Duration::MAX }
    }

    /// The device of worker 0; of another rank its own.
    pub fn leader(&self) -> &Choice {
        match &self.computing {
            Computing::Threads(choices) => &choices[0],
            Computing::Ranks { own, .. } => own,
        }
    }

    /// The other processes, where there are some.
    pub fn ranks(&self) -> Option<&Ranks> {
        match &self.computing {
            Computing::Threads(_) => None,
            Computing::Ranks { ranks, .. } => Some(ranks),
        }
    }

    /// On how many hosts the workers are.
    pub fn hosts(&self) -> usize {
        match &self.computing {
            Computing::Threads(_) => 1,
            Computing::Ranks { workers, .. } => {
                workers.iter().map(|worker| worker.host.as_deref()).collect::<BTreeSet<_>>().len()
            }
        }
    }

    /// Whether other threads of this process follow worker 0.
    pub fn has_followers(&self) -> bool {
        matches!(&self.computing, Computing::Threads(choices) if choices.len() > 1)
    }

    /// The devices in words.
    pub fn in_words(&self) -> String {
        let names: Vec<_> = match &self.computing {
            Computing::Threads(choices) => choices.iter().map(|choice| choice.device.to_string()).collect(),
            Computing::Ranks { workers, .. } => workers.iter().map(|worker| worker.device.name.clone()).collect(),
        };
        let over = self.ranks().map_or(String::new(), |ranks| format!(", over {}", ranks.library()));
        match names.len() {
            1 => names[0].clone(),
            count if names.iter().all(|name| *name == names[0]) => {
                format!("{count} workers on {}{over}", self.leader().device)
            }
            count => format!("{count} workers on {}{over}", names.join("; ")),
        }
    }

    /// What is recorded of the workers: their hosts only if they are to be.
    fn records(&self, host: Option<&str>) -> Vec<WorkerRecord> {
        let of_rank = |worker: &WorkerRecord| WorkerRecord {
            host: worker.host.clone().filter(|_| host.is_some()),
            ..worker.clone()
        };
        match &self.computing {
            Computing::Threads(choices) => {
                let record = |choice| WorkerRecord { device: device_record(choice), host: host.map(str::to_owned) };
                choices.iter().map(record).collect()
            }
            Computing::Ranks { workers, .. } => workers.iter().map(of_rank).collect(),
        }
    }

    /// Who makes which steps when these workers go on after `done` steps of a run that was made so far by `before`.
    pub fn stretches(&self, before: Vec<StretchRecord>, done: u64, host: Option<&str>) -> Vec<StretchRecord> {
        let first_step = DecimalU64(done + 1);
        let mut stretches = before;
        stretches.retain(|stretch| stretch.first_step.0 < first_step.0);
        let workers = self.records(host);
        if stretches.last().is_none_or(|last| last.workers != workers) {
            stretches.push(StretchRecord { first_step, workers });
        }
        stretches
    }

    /// Bytes of device memory that worker 0 holds; `None` where others may hold some, of which only they could tell: other workers,
    /// and threads of this one's that compute shards in lockstep.
    pub fn held_bytes(&self, in_lockstep: bool) -> Option<u64> {
        let is_alone = matches!(&self.computing, Computing::Threads(choices) if choices.len() == 1) && !in_lockstep;
        let are_on_cpu = match &self.computing {
            Computing::Threads(choices) => choices.iter().all(|choice| choice.device.kind == Kind::Cpu),
            Computing::Ranks { workers, .. } => {
                workers.iter().all(|worker| worker.device.accelerator == Kind::Cpu.name())
            }
        };
        if is_alone || are_on_cpu { self.leader().device.held_bytes() } else { None }
    }

    /// Lets worker 0 do `lead` here and every other one of this process `follow` beside it, each with its device. Another process's
    /// workers follow in theirs: [`follow`](Self::follow).
    pub fn lead<R: Send>(
        &self,
        lead: impl FnOnce(Member, &Choice) -> R + Send,
        follow: impl Fn(Member, &Choice) + Sync,
    ) -> R {
        match &self.computing {
            Computing::Threads(choices) => {
                let places = choices.iter().map(|choice| choice.device.to_string()).collect();
                let lead = |member| lead(member, &choices[0]);
                together(places, self.timeout, lead, |member| {
                    let choice = &choices[member.rank()];
                    follow(member, choice);
                })
            }
            Computing::Ranks { own, ranks, .. } => {
                let member = ranks.member(self.timeout);
                cores_of(ranks).install(|| lead(member, own))
            }
        }
    }

    /// Lets the worker of this process follow rank 0, which is another process.
    ///
    /// # Panics
    /// When there are no other processes.
    pub fn follow<R: Send>(&self, follow: impl FnOnce(Member, &Choice) -> R + Send) -> R {
        let Computing::Ranks { own, ranks, .. } = &self.computing else { panic!("nobody to follow") };
        let member = ranks.member(self.timeout);
        cores_of(ranks).install(|| follow(member, own))
    }
}

/// The cores that the launcher has bound this rank to, or a share of all for each rank of this host.
fn cores_of(ranks: &Ranks) -> rayon::ThreadPool {
    let seen = rayon::current_num_threads();
    let cores = if is_bound() { seen } else { (seen / ranks.local_size()).max(1) };
    rayon::ThreadPoolBuilder::new().num_threads(cores).build().expect("threads of this process")
}

/// Whether this process may not use all cores that the machine has, as far as the system tells.
fn is_bound() -> bool {
    let online = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    allowed.is_some_and(|allowed| !online.is_empty() && allowed.trim() != online.trim())
}
