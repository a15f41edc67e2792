//! What `twice` is told.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use spectramind::provenance::patterns::PathPatterns;

use super::variation::{Variation, Wish};

#[derive(clap::Args)]
pub struct TwiceArguments {
    /// The command and its arguments, run as they are, without a shell: `-- python train.py`
    #[arg(last = true, required = true, value_name = "CMD")]
    pub words: Vec<OsString>,
    /// Where the command runs: in a copy of this folder or, where it is in a git repository, of the whole work tree, with the
    /// files that git tracks or does not ignore
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub directory: PathBuf,
    /// Copy this too, though git ignores it: a build folder, data; below the folder that is copied
    #[arg(long, value_name = "PATH")]
    pub include: Vec<PathBuf>,
    /// Vary these alone [default: all that this machine can]; NAME=VALUE chooses the value: threads=3,locale=tr_TR.utf8
    #[arg(long, value_name = "LIST", value_delimiter = ',', conflicts_with = "keep")]
    pub vary: Vec<Wish>,
    /// Vary all but these; what is kept is as in your own environment: path, home, threads, cores, hash-seed, timezone,
    /// locale, umask, hostname, listing, cpu, clock
    #[arg(long, value_name = "LIST", value_delimiter = ',', hide_possible_values = true)]
    pub keep: Vec<Variation>,
    /// Compare these files alone, as patterns of gitignore's kind: `*.csv`, `out/`, `!*.log` [default: every file that the
    /// command made, changed or removed]
    #[arg(long, value_name = "PATTERN")]
    pub output: Vec<String>,
    /// Compare what the command prints to standard output, too
    #[arg(long)]
    pub stdout: bool,
    /// Compare what it prints to standard error, too
    #[arg(long)]
    pub stderr: bool,
    /// Compare the permissions of files and folders, too, which follow from the umask; else only whether a file is executable
    #[arg(long)]
    pub modes: bool,
    /// How many runs have to be equal: the first as it is here, all others with everything varied, by other values each
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(2..))]
    pub runs: u32,
    /// Most runs in all, with those that look for the cause of a difference
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..))]
    pub max_runs: u32,
    /// Longest time that one run may take
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: Option<u64>,
    /// Keep the outputs of the first run and of every run that differs from it here: a folder that is empty or not there
    #[arg(long, value_name = "DIR")]
    pub keep_copies: Option<PathBuf>,
    /// Let the command write below this folder or file, too, beside its copy, its TMPDIR and its HOME: all runs share it
    #[arg(long, value_name = "PATH")]
    pub writes: Vec<PathBuf>,
    /// Where the copies are made [default: the folder for temporary files, or /dev/shm where that one lists files in an order
    /// that cannot be varied]
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
}

impl TwiceArguments {
    /// Refuses what cannot be meant.
    pub fn check(&self) -> Result<()> {
        ensure!(self.directory.is_dir(), "{}: expected a folder, got none", self.directory.display());
        let (runs, most) = (self.runs, self.max_runs);
        ensure!(runs <= most, "--max-runs {most}: expected as many as --runs at least, {runs}");
        ensure!(self.patterns().is_some(), "--output: expected patterns as in .gitignore, got {:?}", self.output);
        for path in &self.writes {
            ensure!(path.exists(), "--writes {}: expected something that is there", path.display());
        }
        if let Some(scratch) = &self.scratch {
            ensure!(scratch.is_dir(), "--scratch {}: expected a folder, got none", scratch.display());
        }
        if let Some(copies) = &self.keep_copies {
            let is_free = match std::fs::read_dir(copies) {
                Ok(mut entries) => entries.next().is_none(),
                Err(error) => error.kind() == std::io::ErrorKind::NotFound,
            };
            ensure!(is_free, "--keep-copies {}: expected an empty folder or none", copies.display());
        }
        Ok(())
    }

    /// The outputs that count.
    pub fn patterns(&self) -> Option<PathPatterns> {
        match self.output.is_empty() {
            true => Some(PathPatterns::all()),
            false => PathPatterns::parse(&self.output),
        }
    }

    /// What is asked for by name; without, everything that is not kept.
    pub fn wishes(&self) -> (Vec<Wish>, bool) {
        if !self.vary.is_empty() {
            return (self.vary.clone(), true);
        }
        let all = <Variation as clap::ValueEnum>::value_variants().iter().copied();
        (all.filter(|it| !self.keep.contains(it)).map(|variation| Wish { variation, value: None }).collect(), false)
    }

    pub fn timeout(&self) -> Option<Duration> {
        self.timeout.map(Duration::from_secs)
    }

    /// Folders as the command will reach them, whichever its own is.
    pub fn writable(&self) -> Result<Vec<PathBuf>> {
        let canonical = |path: &PathBuf| path.canonicalize().with_context(|| path.display().to_string());
        self.writes.iter().map(canonical).collect()
    }

    /// The command as a person would type it.
    pub fn shown(&self) -> String {
        let word = |word: &OsString| {
            let text = word.to_string_lossy().into_owned();
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
            if !text.is_empty() && text.chars().all(plain) {
                text
            } else {
                format!("'{}'", text.replace('\'', r"'\''"))
            }
        };
        self.words.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    /// Words that name the folder that is copied by its full path: the command then does not look into its copy.
    pub fn naming(&self, root: &Path) -> Vec<String> {
        let root = root.to_string_lossy();
        let names = |word: &&OsString| word.to_string_lossy().contains(&*root);
        self.words.iter().filter(names).map(|word| word.to_string_lossy().into_owned()).collect()
    }
}
