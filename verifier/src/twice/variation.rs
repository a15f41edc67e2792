//! What must not matter to a program, and so is varied.

use clap::ValueEnum;

/// What is varied between runs. The names are those of `--vary`, of `--keep` and of the checks in reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Variation {
    /// The path of the copy that the command runs in, and of its temporary folder
    Path,
    /// The path of HOME, an empty folder
    Home,
    /// The number of threads that OpenMP, Rayon, OpenBLAS, MKL and others are told to use
    Threads,
    /// How many processors the command may run on
    Cores,
    /// The seeds of hashing in Python and Perl
    HashSeed,
    /// The time zone
    Timezone,
    /// The locale
    Locale,
    /// The umask
    Umask,
    /// The name of the machine
    Hostname,
    /// The order in which folders list their files
    Listing,
    /// The instruction sets that glibc, OpenBLAS, MKL, oneDNN, NumPy and PyTorch are told to use
    Cpu,
    /// The time: the second run begins at least two seconds after the first; it differs anyway
    Clock,
}

/// A variation that was asked for by name, with the value that was asked for, if any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub variation: Variation,
    pub value: Option<String>,
}

impl Variation {
    /// As `--vary` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Home => "home",
            Self::Threads => "threads",
            Self::Cores => "cores",
            Self::HashSeed => "hash-seed",
            Self::Timezone => "timezone",
            Self::Locale => "locale",
            Self::Umask => "umask",
            Self::Hostname => "hostname",
            Self::Listing => "listing",
            Self::Cpu => "cpu",
            Self::Clock => "clock",
        }
    }

    /// The name of its check in a report.
    pub fn check(self) -> String {
        format!("variation {}", self.name())
    }

    /// What usually helps a program that it changes the outputs of.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Path => "write paths relative to the working directory, or none",
            Self::Home => "leave HOME out of what is written",
            Self::Threads => "fix the number of threads, or sum in an order that does not depend on it",
            Self::Cores => "do not take the number of processors for the number of parts",
            Self::HashSeed => "sort what comes out of a set or a hash table",
            Self::Timezone => "write UTC",
            Self::Locale => "sort and format by a fixed locale (LC_ALL=C)",
            Self::Umask => "set the modes that are written",
            Self::Hostname => "leave the machine's name out of what is written",
            Self::Listing => "sort what a folder lists",
            Self::Cpu => {
                "libraries choose kernels by the processor: fix the choice, or compare with a tolerance elsewhere"
            }
            Self::Clock => "take the time from SOURCE_DATE_EPOCH, or leave it out",
        }
    }

    /// Whether `--vary NAME=VALUE` takes a value.
    fn takes_value(self) -> bool {
        !matches!(self, Self::Path | Self::Home | Self::Listing | Self::Cpu | Self::Clock)
    }
}

impl std::str::FromStr for Wish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value.to_owned())));
        let variation = Variation::from_str(name, false).map_err(|_| {
            let known: Vec<_> = Variation::value_variants().iter().map(|variation| variation.name()).collect();
            format!("expected one of {}, got {name:?}", known.join(", "))
        })?;
        match &value {
            Some(value) if !variation.takes_value() => Err(format!("{name}: expected no value, got {value:?}")),
            Some(value) if !is_value(variation, value) => Err(format!("{name}: no value for it: {value:?}")),
            _ => Ok(Self { variation, value }),
        }
    }
}

fn is_value(variation: Variation, value: &str) -> bool {
    match variation {
        Variation::Threads | Variation::Cores => value.parse::<u32>().is_ok_and(|count| count > 0),
        Variation::HashSeed => value.parse::<u32>().is_ok(),
        Variation::Umask => u32::from_str_radix(value, 8).is_ok_and(|mask| mask <= 0o777),
        _ => !value.is_empty() && !value.contains(|c: char| c.is_control() || c == ' '),
    }
}
