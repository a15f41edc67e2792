//! Who computes a run: a device for every worker, and what is recorded of them.

use std::time::Duration;

use super::origin::device_record;
use crate::engine::device::{self, Choice, Kind};
use crate::engine::settings::{Devices, SupportedTrainer};
use crate::engine::workers::{Member, together};
use crate::failure::Failure;
use crate::manifest::predicate::{StretchRecord, WorkerRecord};
use crate::manifest::strict_json::DecimalU64;

/// The workers of a run, each with its device; worker 0 leads.
pub struct Team {
    choices: Vec<Choice>,
    timeout: Duration,
}

impl Team {
    /// The workers that a trainer profile asks for, or another number of them.
    ///
    /// # Errors
    /// When there is no such device, or the micro-shards cannot be divided among so many.
    pub fn of(trainer: &SupportedTrainer, workers: Option<u32>) -> Result<Self, Failure> {
        let devices = workers.map_or(trainer.devices, Devices::Count);
        let choices = device::choose_for_workers(trainer, devices)?;
        trainer.check_workers(choices.len() as u64)?;
        Ok(Self { choices, timeout: trainer.worker_timeout.0 })
    }

    /// One device, and nobody else.
    pub fn alone(choice: Choice) -> Self {
        Self { choices: vec![choice], timeout: Duration::MAX }
    }

    /// The device of worker 0.
    pub fn leader(&self) -> &Choice {
        &self.choices[0]
    }

    /// The devices in words.
    pub fn in_words(&self) -> String {
        let Choice { device, .. } = self.leader();
        let names: Vec<_> = self.choices.iter().map(|choice| choice.device.to_string()).collect();
        match self.choices.len() {
            1 => device.to_string(),
            count if names.iter().all(|name| *name == names[0]) => format!("{count} workers on {device}"),
            count => format!("{count} workers on {}", names.join("; ")),
        }
    }

    /// What is recorded of the workers.
    fn records(&self, host: Option<&str>) -> Vec<WorkerRecord> {
        let record = |choice| WorkerRecord { device: device_record(choice), host: host.map(str::to_owned) };
        self.choices.iter().map(record).collect()
    }

    /// Who makes which steps when these workers go on after `done` steps of a run that was made so far by `before`; nobody is listed
    /// while it is one device from the first step on.
    pub fn stretches(&self, before: Vec<StretchRecord>, done: u64, host: Option<&str>) -> Vec<StretchRecord> {
        let first_step = DecimalU64(done + 1);
        let mut stretches = before;
        stretches.retain(|stretch| stretch.first_step.0 < first_step.0);
        let workers = self.records(host);
        if stretches.last().is_none_or(|last| last.workers != workers) {
            stretches.push(StretchRecord { first_step, workers });
        }
        match &stretches[..] {
            [only] if only.workers.len() == 1 && only.workers[0].host.is_none() => Vec::new(),
            _ => stretches,
        }
    }

    /// Bytes of device memory that worker 0 holds; `None` where others may hold some, of which only their threads could tell.
    pub fn held_bytes(&self) -> Option<u64> {
        let are_on_cpu = self.choices.iter().all(|choice| choice.device.kind == Kind::Cpu);
        if self.choices.len() == 1 || are_on_cpu { self.leader().device.held_bytes() } else { None }
    }

    /// Lets worker 0 do `lead` here and every other one `follow` beside it, each with its device.
    pub fn run<R: Send>(
        &self,
        lead: impl FnOnce(Member, &Choice) -> R + Send,
        follow: impl Fn(Member, &Choice) + Sync,
    ) -> R {
        let places = self.choices.iter().map(|choice| choice.device.to_string()).collect();
        let lead = |member| lead(member, self.leader());
        together(places, self.timeout, lead, |member| {
            let choice = &self.choices[member.rank()];
            follow(member, choice);
        })
    }
}
