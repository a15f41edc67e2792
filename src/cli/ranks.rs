//! Runs that several processes make: whether a launcher started this one, and whether it is what the config asks for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use repro_ranks::{Launcher, LauncherKind, Library, Search, World};

use super::failure::{exit_status, tell};
use crate::engine::settings::{Devices, TrainerSettings};
use crate::failure::{Failure, Result};
use crate::run::Ranks;

/// How long a rank that failed lets rank 0 say why, before it says so itself.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// How long the ranks wait for each other to be there, before any config says how long.
const FIRST_WORDS: Duration = Duration::from_secs(300);
/// For a launcher to read what was said before everything ends.
const READING: Duration = Duration::from_millis(200);

/// The launcher that started this process as one of several.
fn launcher() -> Option<Launcher> {
    Launcher::from_environment(|name| std::env::var_os(name)).filter(|launcher| launcher.size != Some(1))
}

/// Whether this process is the one that writes, logs and speaks.
pub fn is_leader() -> bool {
    launcher().and_then(|launcher| launcher.rank).unwrap_or(0) == 0
}

/// The processes that a launcher started, linked; none of one that was started alone. `library` is the MPI's file.
///
/// Of several on a host that have no library one returns, with the error.
///
/// # Errors
/// When there is no library that can be used, or it knows nothing of the launcher.
pub fn started(library: Option<&Path>) -> Result<Option<Ranks>> {
    let Some(launcher) = launcher() else { return Ok(None) };
    let directories = directories();
    let search = Search { library, launcher: Some(&launcher), directories: &directories };
    let linked =
        || -> Result<Ranks> { Ok(Ranks::of(World::start(Library::load(&search)?, Some(&launcher), FIRST_WORDS)?)) };
    match linked() {
        Err(failure) if launcher.local_rank.or(launcher.rank).unwrap_or(0) > 0 => {
            std::process::exit(exit_status(&failure).into())
        }
        linked => linked.map(Some),
    }
}

/// Refuses another number of processes than the config asks for. `workers` is their number where it is not the config's.
///
/// # Errors
/// How many it asks for, with the command that starts as many.
pub fn check(
    trainer: &TrainerSettings,
    workers: Option<u32>,
    is_resumed: bool,
    ranks: Option<&Ranks>,
    library: Option<&Path>,
) -> Result<()> {
    let wanted = match (workers, trainer.devices) {
        (Some(workers), _) => Some(workers as usize),
        (None, Devices::Count(devices)) => Some(devices as usize * trainer.num_nodes as usize),
        (None, Devices::Auto(_)) => None,
    };
    match ranks {
        None if workers.is_none() && trainer.num_nodes > 1 => Err(alone(trainer, wanted, is_resumed, library)),
        None => Ok(()),
        Some(ranks) => match wanted.filter(|wanted| *wanted != ranks.size()) {
            Some(wanted) => Err(mismatch(trainer, wanted, is_resumed, ranks.size())),
            None => Ok(()),
        },
    }
}

/// Does a rank's work. Rank 0 says what it fails with, and ends all; every other one leaves that to it.
///
/// # Errors
/// What rank 0's own end fails with.
pub fn work(ranks: Ranks, work: impl FnOnce(&Ranks) -> Result<()>) -> Result<()> {
    match work(&ranks) {
        Ok(()) => ranks.finish(),
        Err(failure) => {
            let (rank, host) = (ranks.rank(), ranks.hosts().swap_remove(ranks.rank()));
            let failure = match rank {
                0 => failure,
                _ => {
                    // It has the same to say, or waits for this one, or is gone.
                    // One after another, so that the first of those that are left ends the others.
                    std::thread::sleep(LAST_WORDS + 2 * Duration::from_secs(rank as u64));
                    failure.context(format!("worker {rank} ({host}) failed"))
                }
            };
            tell(&failure);
            std::thread::sleep(READING);
            ranks.abort(exit_status(&failure))
        }
    }
}

/// Where an MPI keeps its library that is in no place of the system's, as one from PyPI: beside the folder of its launcher.
fn directories() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has_launcher = |folder: &PathBuf| ["mpiexec", "mpirun"].iter().any(|name| folder.join(name).is_file());
    std::env::split_paths(&path).filter(has_launcher).filter_map(|folder| Some(folder.parent()?.join("lib"))).collect()
}

/// A process that was started alone, where the config asks for several nodes.
fn alone(trainer: &TrainerSettings, wanted: Option<usize>, is_resumed: bool, library: Option<&Path>) -> Failure {
    let directories = directories();
    let search = Search { library, directories: &directories, launcher: None };
    let names: Vec<_> = search.candidates().iter().map(|file| file.display().to_string()).collect();
    let message = format!(
        "trainer.num_nodes={}: expected {} processes, started by an MPI launcher, got one that was started alone",
        trainer.num_nodes,
        wanted.map_or("several".to_owned(), |wanted| wanted.to_string()),
    );
    let found = match Library::load(&search) {
        Ok(library) => format!("the library would be {library}"),
        Err(_) => format!("it needs an MPI library as well: none of {} is here", names.join(", ")),
    };
    let here = if is_resumed { "; or go on with workers of this process: --workers N" } else { "" };
    Failure::usage(message, format!("{}; {found}{here}", commands(trainer, wanted, LauncherKind::Hydra)))
}

/// Another number of processes than the config asks for.
fn mismatch(trainer: &TrainerSettings, wanted: usize, is_resumed: bool, got: usize) -> Failure {
    let kind = launcher().map_or(LauncherKind::Hydra, |launcher| launcher.kind);
    let message = format!(
        "trainer.devices × trainer.num_nodes: expected {wanted} processes, a worker each, got {got} from {kind}"
    );
    let commands = commands(trainer, Some(wanted), kind);
    let other = match is_resumed {
        true => format!("--workers {got}"),
        false => format!("trainer.devices so that devices times nodes is {got}"),
    };
    let is_allowed = trainer.allowed_workers().any(|allowed| allowed as usize == got);
    let other = if is_allowed { format!("; or set {other}") } else { String::new() };
    Failure::usage(message, format!("{commands}{other}"))
}

/// What to type for as many processes as the config asks for.
fn commands(trainer: &TrainerSettings, wanted: Option<usize>, kind: LauncherKind) -> String {
    let words: Vec<_> = std::env::args().map(|word| super::train::quoted(&word)).collect();
    let count = wanted.map_or("N".to_owned(), |wanted| wanted.to_string());
    let nodes = (trainer.num_nodes as usize).min(wanted.unwrap_or(usize::MAX));
    let per_node = wanted.map_or("N".to_owned(), |wanted| (wanted / nodes.max(1)).max(1).to_string());
    let mpirun = format!("mpirun -n {count} {}", words.join(" "));
    let srun = format!("srun --mpi=pmix --nodes={nodes} --ntasks-per-node={per_node} {}", words.join(" "));
    match kind {
        LauncherKind::Slurm => format!("type `{srun}`"),
        LauncherKind::Flux => format!("type `flux run -o pmi=pmix -N {nodes} -n {count} {}`", words.join(" ")),
        _ => format!("type `{mpirun}`, or with Slurm `{srun}`"),
    }
}
