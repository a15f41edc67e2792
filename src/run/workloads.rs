//! The workloads that a program knows, by name, each with all that is done with one.

#[cfg(feature = "plots")]
use std::collections::BTreeMap;
use std::path::Path;
#[cfg(feature = "plots")]
use std::path::PathBuf;

use serde_json::Value as Json;

use super::replay::{self, Dispute, Replay, Segments, StepTrace};
use super::{Ranks, Recording, Signed, assist, record};
#[cfg(feature = "plots")]
use crate::chart::Picture;
use crate::config::Config;
use crate::engine::task::Metric;
use crate::failure::Failure;
#[cfg(feature = "plots")]
use crate::manifest::claimed::ClaimedRun;
use crate::manifest::predicate::COMMAND_WORKLOAD;
use crate::manifest::verdict::ReplayRecord;
use crate::provenance::data::DigestCache;
use crate::schema;
use crate::verify::Check;
#[cfg(feature = "plots")]
use crate::workload::Progress;
use crate::workload::{CheckedConfig, DataSet, RunSettings, Subcommand, Workload};

/// The workloads of a program.
#[derive(Default)]
pub struct Workloads(Vec<Box<dyn AnyWorkload>>);

/// A workload of any type: what the commands and the verifier ask of it.
pub trait AnyWorkload: Send + Sync {
    /// [`Workload::name`]
    fn name(&self) -> &'static str;
    /// [`Workload::configs`]
    fn configs(&self) -> &'static [(&'static str, &'static str)];
    /// [`Workload::subcommands`]
    fn subcommands(&self) -> Vec<Subcommand>;
    /// [`Workload::summary`]
    fn summary(&self, metrics: &[Metric]) -> String;
    /// The JSON Schema of its `train.yaml`.
    fn schema(&self) -> Json;
    /// The settings that every run has, of a config that was checked: one that no run can come of is refused.
    ///
    /// # Errors
    /// See [`CheckedConfig::of`].
    fn settings(&self, config: &Config) -> Result<RunSettings, Failure>;
    /// The data sets that a config names.
    ///
    /// # Errors
    /// As [`settings`](Self::settings).
    fn data_sets(&self, config: &Config) -> Result<Vec<DataSet>, Failure>;
    /// [`Workload::pictures`]
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "plots")]
    fn pictures(
        &self,
        run: &ClaimedRun,
        roots: &BTreeMap<String, PathBuf>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<Picture>, Failure>;
    /// Trains and signs a run.
    ///
    /// # Errors
    /// See [`record`].
    fn record(&self, recording: Recording<'_>) -> Result<Signed, Failure>;
    /// Computes a worker's part of a run that another process records.
    ///
    /// # Errors
    /// See [`assist`].
    fn assist(
        &self,
        config: &Config,
        ranks: &Ranks,
        cache: Option<&DigestCache>,
        program: &Path,
    ) -> Result<(), Failure>;
    /// Trains a verified run again and compares.
    fn replay(&self, replay: &Replay<'_>) -> (Check, Option<ReplayRecord>);
    /// Trains a random part of a verified run again and compares.
    fn segments(&self, replay: &Replay<'_>, segments: &Segments) -> (Check, Option<ReplayRecord>);
    /// Finds the first step, op and tensor at which a verified run parts from something else.
    fn dispute(&self, replay: &Replay<'_>, dispute: &Dispute) -> (Check, Option<StepTrace>);
    /// Makes a run in a scratch folder, derived data and all, and tells its digests.
    ///
    /// # Errors
    /// What keeps it from being made.
    fn rehearse(&self, rehearsal: &replay::Rehearsal<'_>) -> Result<replay::Rehearsed, Failure>;
    /// Makes the first steps of such a run, by one worker, and tells what every op of the last of them gave.
    ///
    /// # Errors
    /// What keeps it from being made.
    fn rehearse_step(&self, rehearsal: &replay::Rehearsal<'_>, step: u64) -> Result<StepTrace, Failure>;
}

impl<W: Workload> AnyWorkload for W {
    fn name(&self) -> &'static str {
        Workload::name(self)
    }

    fn configs(&self) -> &'static [(&'static str, &'static str)] {
        Workload::configs(self)
    }

    fn subcommands(&self) -> Vec<Subcommand> {
        Workload::subcommands(self)
    }

    fn summary(&self, metrics: &[Metric]) -> String {
        Workload::summary(self, metrics)
    }

    fn schema(&self) -> Json {
        schema::train::<W>()
    }

    fn settings(&self, config: &Config) -> Result<RunSettings, Failure> {
        Ok(CheckedConfig::of(self, config)?.settings().clone())
    }

    fn data_sets(&self, config: &Config) -> Result<Vec<DataSet>, Failure> {
        Ok(Workload::data_sets(self, CheckedConfig::of(self, config)?.own()))
    }

    #[cfg(feature = "plots")]
    fn pictures(
        &self,
        run: &ClaimedRun,
        roots: &BTreeMap<String, PathBuf>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<Picture>, Failure> {
        Workload::pictures(self, run, roots, progress)
    }

    fn record(&self, recording: Recording<'_>) -> Result<Signed, Failure> {
        record(self, recording)
    }

    fn assist(
        &self,
        config: &Config,
        ranks: &Ranks,
        cache: Option<&DigestCache>,
        program: &Path,
    ) -> Result<(), Failure> {
        assist(self, config, ranks, cache, program)
    }

    fn replay(&self, replay: &Replay<'_>) -> (Check, Option<ReplayRecord>) {
        replay::check(self, replay)
    }

    fn segments(&self, replay: &Replay<'_>, segments: &Segments) -> (Check, Option<ReplayRecord>) {
        replay::check_segments(self, replay, segments)
    }

    fn dispute(&self, replay: &Replay<'_>, dispute: &Dispute) -> (Check, Option<StepTrace>) {
        replay::check_dispute(self, replay, dispute)
    }

    fn rehearse(&self, rehearsal: &replay::Rehearsal<'_>) -> Result<replay::Rehearsed, Failure> {
        replay::rehearse(self, rehearsal)
    }

    fn rehearse_step(&self, rehearsal: &replay::Rehearsal<'_>, step: u64) -> Result<StepTrace, Failure> {
        replay::rehearse_step(self, rehearsal, step)
    }
}

impl Workloads {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// These and another one.
    ///
    /// # Panics
    /// When there is one of that name already, or it is [`COMMAND_WORKLOAD`], or there is one that has a command or a file of
    /// configs of the same name.
    #[must_use]
    pub fn with<W: Workload>(mut self, workload: W) -> Self {
        let name = Workload::name(&workload);
        assert!(self.get(name).is_none(), "two workloads are called {name}");
        assert!(name != COMMAND_WORKLOAD, "{name} is what programs of the user's own are called");
        for Subcommand { name: command, .. } in Workload::subcommands(&workload) {
            assert!(self.subcommand(command).is_none(), "{name}: another workload has a command {command}, too");
        }
        for (path, _) in Workload::configs(&workload) {
            assert!(
                self.configs().all(|(other, _)| other != *path),
                "{name}: another workload has a config {path}, too"
            );
        }
        self.0.push(Box::new(workload));
        self
    }

    /// The one of that name.
    pub fn get(&self, name: &str) -> Option<&dyn AnyWorkload> {
        self.iter().find(|workload| workload.name() == name)
    }

    /// All of them, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &dyn AnyWorkload> {
        self.0.iter().map(|workload| &**workload)
    }

    /// The files of configs that come with them: path below the folder of configs, and text.
    pub fn configs(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.iter().flat_map(|workload| workload.configs().iter().copied())
    }

    /// The JSON Schema of the primary config of a command, for a config that was composed of it where one was: which
    /// workload is trained is for that to say.
    pub fn schema(&self, primary: &str, config: Option<&Config>) -> Option<Json> {
        if primary != super::record::PRIMARY {
            return self.subcommand(primary).map(|command| (command.schema)());
        }
        let named = config.and_then(|config| self.of(config).ok());
        named.or_else(|| self.iter().next()).map(|workload| workload.schema())
    }

    /// The command of that name, whichever workload's it is.
    pub fn subcommand(&self, name: &str) -> Option<Subcommand> {
        self.iter().flat_map(|workload| workload.subcommands()).find(|command| command.name == name)
    }

    /// The one that a config names.
    ///
    /// # Errors
    /// When it names none of these.
    pub fn of(&self, config: &Config) -> Result<&dyn AnyWorkload, Failure> {
        let name = config.select_resolved("workload")?.map(|name| name.to_string());
        name.as_deref().and_then(|name| self.get(name)).ok_or_else(|| {
            let known: Vec<_> = self.iter().map(|workload| workload.name()).collect();
            let got = name.unwrap_or_else(|| "none".into());
            Failure::usage(
                format!("workload: expected one of {}, got {got}", known.join(", ")),
                format!("set workload={}", known.first().unwrap_or(&"NAME")),
            )
        })
    }
}

impl std::fmt::Debug for Workloads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|workload| workload.name())).finish()
    }
}
