//! `spectramind init`: the configs that come with the program, for a directory without its sources.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::cli::compose::CONFIGS;
use crate::cli::output::outln;
use crate::cli::program;
use crate::cli::train::quoted;
use crate::durable;
use crate::failure::{Context, Failure, Result};
use crate::run::Workloads;

/// Write the folder configs/ that comes with this program, to train in a directory without its sources
///
/// Files that are there and equal stay; where one differs, nothing is written.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where the folder configs/ goes
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
}

/// What a run without a repository lacks.
pub const OUTSIDE_A_REPOSITORY: &str = "Warning: this directory is in no git repository: the record names no commit that \
     holds the configs, and an audit answers `git: not checked`, with exit code 3\n  Hint: before the run: git init && git add \
     configs && git commit --message configs";

/// What trainings make beside the configs, which is not for git.
const IGNORED: [&str; 4] = ["/runs", "/data", "/multirun", "/outputs"];

/// Writes the files and says what to do next.
///
/// # Errors
/// When there is another file in the place of one of them, or they cannot be written.
pub fn run(Arguments { directory }: &Arguments, workloads: &Workloads) -> Result<()> {
    let directory = if directory == Path::new(".") { Path::new("") } else { directory };
    let folder = directory.join(CONFIGS);
    let files: Vec<_> = workloads.configs().map(|(path, text)| (folder.join(path), text)).collect();
    if files.is_empty() {
        let hint = "they are in its sources: copy them, or have its workload bring them (Workload::configs)";
        return Err(Failure::new(format!("{}: no configs come with this program", program::name())).with_hint(hint));
    }
    // All are looked at before one is written.
    let (mut missing, mut others) = (Vec::new(), Vec::new());
    for (path, text) in &files {
        match fs::read(path) {
            Ok(found) if found == text.as_bytes() => {}
            Ok(_) => others.push(path.display().to_string()),
            Err(error) if error.kind() == ErrorKind::NotFound => missing.push((path, *text)),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }
    if !others.is_empty() {
        let message = format!("expected no other files than those of this program, got {}", others.join(", "));
        let hint = format!(
            "to see how they differ: {program} init NEW && diff -r {} NEW/configs",
            quoted(&folder.display().to_string()),
            program = program::name()
        );
        return Err(Failure::usage(message, hint));
    }
    for (path, text) in &missing {
        write(path, text)?;
    }
    outln!("{}: {} files, {} of them new", folder.display(), files.len(), missing.len());
    ignore(&directory.join(".gitignore"))?;
    next(directory)
}

fn write(path: &Path, text: &str) -> Result<()> {
    let folder = durable::folder_of(path);
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    durable::write_whole(path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

/// Has git ignore what trainings make. A file of the user's own is left alone, and what it lacks is told.
fn ignore(path: &Path) -> Result<()> {
    let found = match fs::read_to_string(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return write(path, &(IGNORED.join("\n") + "\n")),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let is_there = |wanted: &str| found.lines().any(|line| line.trim().trim_matches('/') == wanted.trim_matches('/'));
    let lacking: Vec<&str> = IGNORED.into_iter().filter(|wanted| !is_there(wanted)).collect();
    if !lacking.is_empty() {
        outln!("{}: yours; what trainings make is not for git: add {}", path.display(), lacking.join(" "));
    }
    Ok(())
}

/// Prints the commands up to the first run.
fn next(directory: &Path) -> Result<()> {
    let whole = env::current_dir().context("the working directory cannot be read")?.join(directory);
    let in_repository = whole.ancestors().any(|folder| folder.join(".git").exists());
    outln!("Next:\n");
    if directory != Path::new("") {
        outln!("cd {}", quoted(&directory.display().to_string()));
    }
    let init = if in_repository { "" } else { "git init && " };
    outln!("{init}git add configs .gitignore && git commit --message configs");
    outln!("{} train trainer=ci_fast", program::name());
    Ok(())
}
