//! What lies beside the programs in a release: their manual pages, one for each command, and the verifier's completions.
//!
//! `pages FOLDER` writes `man/*.1`, `completions/spectramind-verify.{bash,fish}` and `completions/_spectramind-verify`. No part of
//! the programs: `release/build.sh` runs it, and `spectramind completion` is its own program's.

use std::path::Path;
use std::{env, fs, io};

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).ok_or_else(|| io::Error::other("expected a folder to write into, got none"))?;
    let (man, completions) = (Path::new(&folder).join("man"), Path::new(&folder).join("completions"));
    fs::create_dir_all(&man)?;
    fs::create_dir_all(&completions)?;
    // The name is that of the file that runs, which is this one here.
    let version = env!("CARGO_PKG_VERSION");
    let programs = [
        spectramind::cli::command(&spectramind::ariel::workloads()).name("spectramind").version(version),
        spectramind_verify::command(),
    ];
    for program in programs {
        // Pages show long names such as `spectramind-keys-trust`.
        let mut program = program.disable_help_subcommand(true);
        program.build();
        pages(&program, &[], &man)?;
    }
    let mut verifier = spectramind_verify::command();
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        clap_complete::generate_to(shell, &mut verifier, "spectramind-verify", &completions)?;
    }
    Ok(())
}

/// Writes the page of a command, and those of its own commands.
fn pages(command: &Command, parents: &[&str], folder: &Path) -> io::Result<()> {
    let names = [parents, &[command.get_name()]].concat();
    // Clap keeps names for as long as the program runs.
    let title: &'static str = names.join("-").leak();
    let mut page = Vec::new();
    // No date: the same sources give the same page.
    let named = command.clone().name(title).bin_name(names.join(" "));
    Man::new(named).title(title).date("").render(&mut page)?;
    fs::write(folder.join(format!("{title}.1")), page)?;
    command.get_subcommands().filter(|own| !own.is_hide_set()).try_for_each(|own| pages(own, &names, folder))
}
