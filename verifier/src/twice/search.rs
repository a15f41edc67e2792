//! Which variation makes a difference: found by halves, and confirmed by doing it again.
//!
//! ```text
//! all varied: equal → done
//!             differs → nothing varied: what differs has no cause among the variations
//!                       each half of the variations, and the halves of those that differ, down to one
//!                       what no single one brings about: all again → chance, or several together
//!                       nothing varied again, and each cause again → how often
//! ```
//! Every run is compared with the first one, in which nothing is varied. Each output has causes of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::{Differences, Found, Item};
use super::variation::Variation;

/// A run beside the first one, and what differs.
struct Trial {
    varied: Vec<Variation>,
    choice: usize,
    differing: Differences,
}

/// How often something differed, of how many runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    pub differed: usize,
    pub runs: usize,
}

/// A difference with how often it was seen.
pub struct Seen {
    pub found: Found,
    pub times: Times,
}

/// What the runs show.
#[derive(Default)]
pub struct Causes {
    /// What differs though nothing is varied.
    pub unvaried: BTreeMap<Item, Seen>,
    /// What a variation alone brings about.
    pub alone: BTreeMap<Variation, BTreeMap<Item, Seen>>,
    /// What several bring about together, and none of them without the others.
    pub together: Vec<(Vec<Variation>, BTreeMap<Item, Found>)>,
    /// What differed with everything varied, and not when that was done again.
    pub passing: BTreeMap<Item, Found>,
    /// What differs with everything varied, where no cause was found.
    pub unknown: BTreeMap<Item, Found>,
    /// How often nothing was varied, beside the first run.
    pub plain_runs: usize,
    /// Why the search ended early.
    pub broken: Option<String>,
}

/// Who runs the command.
pub trait Attempts {
    /// Runs it with these variations, each by its value of that number, and compares it with the first run.
    ///
    /// # Errors
    /// When the run cannot be used.
    fn attempt(&mut self, varied: &[Variation], choice: usize) -> Result<Differences, String>;
}

pub struct Search<'a, A> {
    pub on: &'a mut A,
    trials: Vec<Trial>,
}

impl<'a, A: Attempts> Search<'a, A> {
    pub fn new(on: &'a mut A) -> Self {
        Self { on, trials: Vec::new() }
    }

    /// Runs with everything varied by its values of that number: whether nothing differs.
    ///
    /// # Errors
    /// When the run cannot be used.
    pub fn all_varied(&mut self, all: &[Variation], choice: usize) -> Result<bool, String> {
        Ok(self.run(all, choice)?.is_empty())
    }

    /// Takes back that a variation was made: it turned out to be none.
    pub fn forget(&mut self, variation: Variation) {
        self.trials.iter_mut().for_each(|trial| trial.varied.retain(|one| *one != variation));
    }

    /// Looks for the causes of all that differed so far, unless something broke already.
    pub fn causes(mut self, all: &[Variation], broken: Option<String>) -> Causes {
        let broken = broken.or_else(|| self.seek(all).err());
        let mut causes = self.conclude(all);
        causes.broken = broken;
        causes
    }

    fn run(&mut self, varied: &[Variation], choice: usize) -> Result<Differences, String> {
        let differing = self.on.attempt(varied, choice)?;
        self.trials.push(Trial { varied: varied.to_vec(), choice, differing: differing.clone() });
        Ok(differing)
    }

    fn seek(&mut self, all: &[Variation]) -> Result<(), String> {
        let first: Vec<(usize, Differences)> = self.trials.iter().map(|it| (it.choice, it.differing.clone())).collect();
        let unvaried: BTreeSet<Item> = self.run(&[], 0)?.into_keys().collect();
        let mut explained = unvaried.clone();
        for (choice, differing) in first {
            let wanted: BTreeSet<Item> = differing.into_keys().filter(|item| !explained.contains(item)).collect();
            if wanted.is_empty() {
                continue;
            }
            self.halve(all, choice, &explained)?;
            explained.extend(self.brought_about_alone().map(|(_, item, _)| item.clone()));
            let left: BTreeSet<Item> = wanted.difference(&explained).cloned().collect();
            if !left.is_empty() {
                self.together(all, choice, &left)?;
            }
            explained.extend(left);
        }
        if explained.len() > unvaried.len() {
            self.run(&[], 0)?;
            let single: BTreeSet<(Variation, usize)> =
                self.brought_about_alone().map(|(variation, _, choice)| (variation, choice)).collect();
            for (variation, choice) in single {
                self.run(&[variation], choice)?;
            }
        }
        Ok(())
    }

    /// `set` is known to differ in something that is not explained.
    fn halve(&mut self, set: &[Variation], choice: usize, explained: &BTreeSet<Item>) -> Result<(), String> {
        if set.len() < 2 {
            return Ok(());
        }
        let (left, right) = set.split_at(set.len() / 2);
        for half in [left, right] {
            let differing = self.run(half, choice)?;
            if differing.keys().any(|item| !explained.contains(item)) {
                self.halve(half, choice, explained)?;
            }
        }
        Ok(())
    }

    /// Looks for a set of variations of which none can be left out, for what none alone brings about.
    fn together(&mut self, all: &[Variation], choice: usize, wanted: &BTreeSet<Item>) -> Result<(), String> {
        let again = self.run(all, choice)?;
        let wanted: BTreeSet<&Item> = wanted.iter().filter(|item| again.contains_key(item)).collect();
        let mut set = all.to_vec();
        if wanted.is_empty() || all.len() < 2 {
            return Ok(());
        }
        for one in all {
            let without: Vec<Variation> = set.iter().copied().filter(|other| other != one).collect();
            let differing = self.run(&without, choice)?;
            if wanted.iter().all(|item| differing.contains_key(item)) {
                set = without;
            }
        }
        Ok(())
    }

    /// Each variation with what it brought about alone, whenever that was tried.
    fn brought_about_alone(&self) -> impl Iterator<Item = (Variation, &Item, usize)> {
        self.trials
            .iter()
            .filter(|trial| trial.varied.len() == 1)
            .flat_map(|trial| trial.differing.keys().map(|item| (trial.varied[0], item, trial.choice)))
    }

    /// How often an item differed in the runs with exactly these variations and values.
    fn times(&self, varied: &[Variation], choice: usize, item: &Item) -> Times {
        let is_same = |trial: &&Trial| trial.varied == varied && (varied.is_empty() || trial.choice == choice);
        let runs = self.trials.iter().filter(is_same);
        let differed = runs.clone().filter(|trial| trial.differing.contains_key(item)).count();
        Times { differed, runs: runs.count() }
    }

    fn conclude(&self, all: &[Variation]) -> Causes {
        let mut causes = Causes { plain_runs: self.times(&[], 0, &Item::Exit).runs, ..Causes::default() };
        // The item's first difference under each set of variations, smaller sets first: theirs is the explanation.
        let mut trials: Vec<&Trial> = self.trials.iter().collect();
        trials.sort_by_key(|trial| trial.varied.len());
        for trial in trials {
            for (item, found) in &trial.differing {
                let is_new = |causes: &Causes| {
                    let alone = causes.alone.values().any(|items| items.contains_key(item));
                    let together = causes.together.iter().any(|(_, items)| items.contains_key(item));
                    !alone && !together && !causes.passing.contains_key(item) && !causes.unknown.contains_key(item)
                };
                if causes.unvaried.contains_key(item) {
                    continue;
                }
                let seen = || Seen { found: found.clone(), times: self.times(&trial.varied, trial.choice, item) };
                match &trial.varied[..] {
                    [] => drop(causes.unvaried.insert(item.clone(), seen())),
                    // With all that there is to vary, one is all.
                    [one] => drop(causes.alone.entry(*one).or_default().entry(item.clone()).or_insert_with(seen)),
                    _ if !is_new(&causes) => {}
                    _ => match self.smallest(all, item) {
                        Smallest::Set(set) => match causes.together.iter_mut().find(|(other, _)| *other == set) {
                            Some((_, items)) => drop(items.insert(item.clone(), found.clone())),
                            None => causes.together.push((set, BTreeMap::from([(item.clone(), found.clone())]))),
                        },
                        Smallest::Passing => drop(causes.passing.insert(item.clone(), found.clone())),
                        Smallest::Unknown => drop(causes.unknown.insert(item.clone(), found.clone())),
                    },
                }
            }
        }
        causes
    }

    /// The smallest set of several variations with which an item differed, if it did so again when all were varied again.
    fn smallest(&self, all: &[Variation], item: &Item) -> Smallest {
        let with_all: Vec<&Trial> =
            self.trials.iter().filter(|trial| trial.varied == all && trial.choice > 0).collect();
        let choice = with_all.iter().find(|trial| trial.differing.contains_key(item)).map(|trial| trial.choice);
        let Some(choice) = choice else { return Smallest::Passing };
        let again: Vec<_> = with_all.iter().filter(|trial| trial.choice == choice).collect();
        if again.len() < 2 {
            return Smallest::Unknown;
        }
        if again.iter().any(|trial| !trial.differing.contains_key(item)) {
            return Smallest::Passing;
        }
        let sets = self.trials.iter().filter(|trial| trial.choice == choice && trial.differing.contains_key(item));
        match sets.map(|trial| &trial.varied).min_by_key(|varied| varied.len()) {
            Some(set) => Smallest::Set(set.clone()),
            None => Smallest::Unknown,
        }
    }
}

enum Smallest {
    Set(Vec<Variation>),
    Passing,
    Unknown,
}
