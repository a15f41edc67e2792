//! The values that a variation takes on this machine: one for plain runs, others for varied ones.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use spectramind::process::surroundings::{Surroundings, host_name, processors, umask};

use super::variation::{Variation, Wish};

/// A value, as a report shows it and as it is set.
#[derive(Debug, Clone)]
pub struct Value {
    pub shown: String,
    /// `None`: as it is.
    pub set: Option<String>,
}

/// A variation that is made: the value of plain runs first, then those of varied ones.
#[derive(Debug, Clone)]
pub struct Setting {
    pub variation: Variation,
    pub plain: Value,
    pub varied: Vec<Value>,
}

/// The caller's environment.
pub type Environment = BTreeMap<OsString, OsString>;

/// Variables that say how many threads to use.
pub const THREADS: [&str; 7] = [
    "OMP_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
];

/// Variables that say which instructions to use, and a choice that every processor of that kind has.
#[cfg(target_arch = "x86_64")]
pub const CPU: [(&str, &str); 8] = [
    ("ATEN_CPU_CAPABILITY", "default"),
    ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-FMA,-FMA4,-AVX"),
    ("MKL_CBWR", "COMPATIBLE"),
    ("MKL_ENABLE_INSTRUCTIONS", "SSE4_2"),
    (
        "NPY_DISABLE_CPU_FEATURES",
        "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL X86_V3 X86_V4",
    ),
    ("ONEDNN_MAX_CPU_ISA", "SSE41"),
    ("OPENBLAS_CORETYPE", "Nehalem"),
    ("SPECTRAMIND_CPU_LEVEL", "portable"),
];
#[cfg(target_arch = "aarch64")]
pub const CPU: [(&str, &str); 3] =
    [("ATEN_CPU_CAPABILITY", "default"), ("OPENBLAS_CORETYPE", "ARMV8"), ("SPECTRAMIND_CPU_LEVEL", "portable")];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub const CPU: [(&str, &str); 0] = [];

impl Setting {
    /// The value of that number: 0 is the plain one.
    pub fn value(&self, choice: usize) -> &Value {
        match choice {
            0 => &self.plain,
            choice => &self.varied[(choice - 1) % self.varied.len()],
        }
    }
}

/// The values of a variation here, or why there are none. That of `path` and `home` are made where the copies are, and
/// `listing` is tried there.
pub fn of(wish: &Wish, environment: &Environment) -> Result<Setting, String> {
    let variation = wish.variation;
    let variable =
        |name: &str| environment.get(std::ffi::OsStr::new(name)).map(|value| value.to_string_lossy().into_owned());
    let own = |names: &[&str]| {
        let all: Vec<_> = names.iter().filter_map(|name| Some(format!("{name}={}", variable(name)?))).collect();
        let shown = if all.is_empty() { format!("{} not set", names[0]) } else { all.join(", ") };
        Value { shown: format!("as it is ({shown})"), set: None }
    };
    let value = |set: &str, shown: String| Value { shown, set: Some(set.to_owned()) };
    // What a value that is asked for must not be: the one that there is anyway.
    let mut already = None;
    let (plain, mut varied) = match variation {
        Variation::Path | Variation::Home => (plain_value("a folder"), vec![plain_value("another folder")]),
        Variation::Listing => {
            (plain_value("files made in the order of their names"), vec![plain_value("in reverse order")])
        }
        Variation::Clock => (plain_value("the time of the run"), vec![plain_value("two seconds later or more")]),
        Variation::Threads => {
            let mine = variable("OMP_NUM_THREADS").and_then(|text| text.parse().ok());
            let mine = mine.unwrap_or_else(|| processors().map_or(0, |all| all.len()));
            already = Some(mine.to_string());
            let shown = |count: usize| value(&count.to_string(), format!("{count} (OMP_NUM_THREADS and the like)"));
            let counts = [1, 3, 2].into_iter().filter(|count| *count != mine);
            (own(&THREADS), counts.map(shown).collect())
        }
        Variation::Cores => {
            let all = processors().map_err(|error| format!("this system does not say which there are: {error}"))?;
            if all.len() < 2 {
                return Err("there is only one processor".into());
            }
            Surroundings::default()
                .with_processors(&all[..1])
                .check()
                .map_err(|error| format!("the system refuses: {error}"))?;
            if wish.value.as_ref().and_then(|value| value.parse().ok()).is_some_and(|count: usize| count >= all.len()) {
                return Err(format!("there are only {} processors", all.len()));
            }
            let shown = |count: usize| value(&count.to_string(), format!("{count} of them"));
            let counts = [1, 2, 3].into_iter().filter(|count| *count < all.len());
            (Value { shown: format!("all {}", all.len()), set: None }, counts.map(shown).collect())
        }
        Variation::HashSeed => {
            let shown = |seed: &str| value(seed, format!("PYTHONHASHSEED={seed}, PERL_HASH_SEED={seed}"));
            already = Some("0".into());
            (shown("0"), ["1", "2", "3"].map(shown).to_vec())
        }
        Variation::Timezone => {
            let mine = std::fs::read_link("/etc/localtime").ok().filter(|_| variable("TZ").is_none());
            let mine = variable("TZ").or(mine.map(|path| path.display().to_string())).unwrap_or_default();
            if let Some(wanted) = &wish.value
                && Path::new("/usr/share/zoneinfo").is_dir()
                && !Path::new("/usr/share/zoneinfo").join(wanted).is_file()
                && !wanted.contains(|c: char| c.is_ascii_digit())
            {
                return Err(format!("there is no zone {wanted} in /usr/share/zoneinfo"));
            }
            already = Some(mine.clone());
            // Where there are no names of zones, rules in POSIX' form mean the same.
            let zones =
                [("Pacific/Kiritimati", "<+14>-14"), ("America/St_Johns", "<-0330>3:30"), ("Etc/GMT+12", "<-12>12")];
            let zones = zones.into_iter().filter(|(name, rule)| !mine.ends_with(name) && mine != *rule);
            let known = |name: &str| Path::new("/usr/share/zoneinfo").join(name).is_file();
            let zones = zones.map(|(name, rule)| if known(name) { name } else { rule });
            (own(&["TZ"]), zones.map(|zone| value(zone, format!("TZ={zone}"))).collect())
        }
        Variation::Locale => {
            let mine = ["LC_ALL", "LANG"].into_iter().find_map(|name| variable(name).filter(|text| !text.is_empty()));
            let there = locales(&mine.unwrap_or_else(|| "C".into()))?;
            if let Some(wanted) = wish.value.as_ref().filter(|wanted| !there.iter().any(|name| is_locale(name, wanted)))
            {
                return Err(format!("expected another one that is installed: {}, got {wanted}", there.join(", ")));
            }
            (
                own(&["LC_ALL", "LANG"]),
                there.iter().map(|name| value(name, format!("LC_ALL={name}, LANG={name}"))).collect(),
            )
        }
        Variation::Umask => {
            let mine = umask();
            let shown = |mask: u32| value(&format!("{mask:03o}"), format!("{mask:03o}"));
            let plain = mine.map_or(Value { shown: "as it is".into(), set: None }, shown);
            already = wish.value.clone().filter(|value| u32::from_str_radix(value, 8).ok() == mine);
            (plain, [0o077, 0o022, 0o002].into_iter().filter(|mask| Some(*mask) != mine).map(shown).collect())
        }
        Variation::Hostname => {
            let mine = host_name().map_err(|error| format!("this system does not say it: {error}"))?;
            let tried = Surroundings::default().with_host_name(&mine).check();
            tried.map_err(|error| format!("this machine allows no name of one's own (a UTS namespace): {error}"))?;
            already = Some(mine.clone());
            let names = ["elsewhere", "another-machine"].into_iter().filter(|name| *name != mine);
            (value(&mine, mine.clone()), names.map(|name| value(name, name.to_owned())).collect())
        }
        Variation::Cpu => {
            if CPU.is_empty() {
                return Err("for processors of this kind it is not known how to".into());
            }
            let names = CPU.map(|(name, _)| name);
            let shown = CPU.map(|(name, value)| format!("{name}={value}")).join(", ");
            (own(&names), vec![plain_value(&shown)])
        }
    };
    if let Some(wanted) = &wish.value {
        if already.as_ref() == Some(wanted) {
            return Err(format!("it is {wanted} anyway"));
        }
        varied = vec![value(wanted, wanted.clone())];
    }
    match varied.is_empty() {
        true => Err("there is no other value for it here".into()),
        false => Ok(Setting { variation, plain, varied }),
    }
}

fn plain_value(shown: &str) -> Value {
    Value { shown: shown.to_owned(), set: None }
}

/// Locales that are installed and differ from one's own in more than a name, those first that differ most.
fn locales(mine: &str) -> Result<Vec<String>, String> {
    let output = Command::new("locale").arg("-a").output();
    let output =
        output.map_err(|error| format!("which there are says the program locale, and it cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_plain = |name: &str| name == "C" || name == "POSIX" || name.starts_with("C.");
    let there: Vec<&str> = text.lines().map(str::trim).filter(|name| !name.is_empty()).collect();
    let mut found: Vec<&str> = Vec::new();
    // In Turkish even the case of a Latin letter is another; decimal commas are German and French.
    let languages = ["tr_TR", "de_DE", "fr_FR", "en_US"];
    let utf8 = there.iter().copied().filter(|name| !is_plain(name) && name.to_ascii_lowercase().ends_with("utf8"));
    let rank =
        |name: &&str| languages.iter().position(|language| name.starts_with(language)).unwrap_or(languages.len());
    let mut spoken: Vec<&str> = utf8.collect();
    spoken.sort_by_key(rank);
    let plain = there.iter().copied().filter(|name| is_plain(name) && *name != "POSIX");
    match is_plain(mine) || mine == "POSIX" {
        true => found.extend(spoken.into_iter().chain(plain)),
        false => found.extend(plain.chain(spoken)),
    }
    let mine = if mine == "POSIX" { "C" } else { mine };
    found.retain(|name| !is_locale(name, mine));
    match found.is_empty() {
        true => Err(format!("no other locale than {mine} is installed")),
        false => Ok(found.into_iter().map(str::to_owned).collect()),
    }
}

/// Whether two names are spellings of one locale: `C.UTF-8` is `C.utf8`.
fn is_locale(left: &str, right: &str) -> bool {
    let spelling = |name: &str| name.to_ascii_lowercase().replace('-', "");
    spelling(left) == spelling(right)
}
