//! The conditions of one run: its environment, its umask, its processors, the name of its machine.

use std::ffi::{OsStr, OsString};

use spectramind::process::surroundings::{Surroundings, processors};

use super::run::{Bench, Place};
use super::setting::{CPU, Environment, THREADS};
use super::variation::Variation;

/// Which value of a variation a run has: 0 is the plain one.
pub type Choices<'a> = dyn Fn(Variation) -> usize + 'a;

impl Bench<'_> {
    /// What a run finds around it.
    pub fn surroundings(&self, of: &Choices<'_>) -> Result<Surroundings, String> {
        let value = |variation| Some(self.setting(variation)?.value(of(variation)));
        let mut surroundings = Surroundings::default();
        if let Some(mask) = value(Variation::Umask).and_then(|value| u32::from_str_radix(value.set.as_deref()?, 8).ok())
        {
            surroundings = surroundings.with_umask(mask);
        }
        if let Some(name) = value(Variation::Hostname).and_then(|value| value.set.clone()) {
            // Plain runs have a namespace, too, with the name that they had: it must not be what makes the difference.
            surroundings = surroundings.with_host_name(&name);
        }
        if let Some(count) = value(Variation::Cores).and_then(|value| value.set.as_deref()?.parse().ok()) {
            let all = processors().map_err(|error| error.to_string())?;
            surroundings = surroundings.with_processors(&all[..all.len().min(count)]);
        }
        Ok(surroundings)
    }

    /// The environment of a run.
    pub fn environment(&self, of: &Choices<'_>, place: &Place) -> Environment {
        let mut environment = self.environment.clone();
        let mut set = |name: &str, value: &OsStr| drop(environment.insert(name.into(), value.to_owned()));
        set("PWD", self.folder(&place.tree).as_os_str());
        for name in ["TMPDIR", "TEMP", "TMP"] {
            set(name, place.temporary.as_os_str());
        }
        if let Some(home) = &place.home {
            set("HOME", home.as_os_str());
        }
        for setting in &self.settings {
            let value = setting.value(of(setting.variation)).set.as_deref().map(OsStr::new);
            match (setting.variation, value) {
                (Variation::Threads, Some(count)) => THREADS.iter().for_each(|name| set(name, count)),
                (Variation::HashSeed, Some(seed)) => {
                    ["PYTHONHASHSEED", "PERL_HASH_SEED"].iter().for_each(|name| set(name, seed))
                }
                (Variation::Timezone, Some(zone)) => set("TZ", zone),
                (Variation::Locale, Some(locale)) => ["LC_ALL", "LANG"].iter().for_each(|name| set(name, locale)),
                _ => {}
            }
        }
        if place.home.is_some() {
            // They lead to what a home holds.
            for name in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"] {
                environment.remove(OsStr::new(name));
            }
        }
        environment.remove(OsStr::new("OLDPWD"));
        if of(Variation::Locale) > 0 {
            environment.remove(OsStr::new("LANGUAGE"));
        }
        if of(Variation::Hostname) > 0 {
            let name = self.setting(Variation::Hostname).and_then(|it| it.value(of(Variation::Hostname)).set.clone());
            if let (Some(name), Some(there)) = (name, environment.get_mut(OsStr::new("HOSTNAME"))) {
                *there = name.into();
            }
        }
        if of(Variation::Cpu) > 0 {
            for (name, value) in CPU {
                let tunables = environment.get(OsStr::new(name)).filter(|_| name == "GLIBC_TUNABLES");
                let mut whole =
                    tunables.map_or_else(OsString::new, |before| [before, OsStr::new(":")].into_iter().collect());
                whole.push(value);
                environment.insert(name.into(), whole);
            }
        }
        // Compiled modules hold the path of their source.
        environment.entry("PYTHONDONTWRITEBYTECODE".into()).or_insert_with(|| "1".into());
        environment
    }
}
