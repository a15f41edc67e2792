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

/// The launcher that started this process as one of several.
fn launcher() -> Option<Launcher> {
    Launcher::from_environment(|name| std::env::var_os(name)).filter(|launcher| launcher.size != Some(1))
}

/// Whether this process is the one that writes, logs and speaks.
pub fn is_leader() -> bool {
    launcher().and_then(|launcher| launcher.rank).unwrap_or(0) == 0
}

/// Lets rank 0 say what all have failed with, and end them; returns at once there, and on another rank only if that does not happen.
pub fn wait_for_the_leader() {
    if !is_leader() {
        std::thread::sleep(LAST_WORDS);
    }
}

/// The ranks that a launcher started, if they are what the config asks for; none of a process that was started alone, which has
/// workers of its own. `workers` is their number where it is not the config's.
///
/// # Errors
/// When the launcher gave another number of processes than the config asks for, with the command that gives as many; when there is
/// no MPI library.
pub fn started(trainer: &TrainerSettings, workers: Option<u32>, library: Option<&Path>) -> Result<Option<Ranks>> {
    let wanted = match (workers, trainer.devices) {
        (Some(workers), _) => Some(workers as usize),
        (None, Devices::Count(devices)) => Some(devices as usize * trainer.num_nodes as usize),
        (None, Devices::Auto(_)) => None,
    };
    let Some(launcher) = launcher() else {
        return match workers.is_none() && trainer.num_nodes > 1 {
            true => Err(alone(trainer, wanted, library)),
            false => Ok(None),
        };
    };
    if let (Some(wanted), Some(got)) = (wanted, launcher.size)
        && wanted != got
    {
        return Err(mismatch(trainer, &launcher, wanted, got));
    }
    let directories = directories();
    let search = Search { library, launcher: Some(&launcher), directories: &directories };
    let world = World::start(Library::load(&search)?, Some(&launcher), trainer.worker_timeout.0)?;
    match wanted.filter(|wanted| *wanted != world.size()) {
        Some(wanted) => Err(mismatch(trainer, &launcher, wanted, world.size())),
        None => Ok(Some(Ranks::of(world))),
    }
}

/// Where an MPI keeps its library that is in no place of the system's, as one from PyPI: beside the folder of its launcher.
fn directories() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has_launcher = |folder: &PathBuf| ["mpiexec", "mpirun"].iter().any(|name| folder.join(name).is_file());
    std::env::split_paths(&path).filter(has_launcher).filter_map(|folder| Some(folder.parent()?.join("lib"))).collect()
}

/// Does a rank's work. Rank 0 says what it fails with, and ends all; every other one keeps silent.
///
/// # Errors
/// What rank 0's own end fails with.
pub fn work(ranks: Ranks, work: impl FnOnce(&Ranks) -> Result<()>) -> Result<()> {
    match work(&ranks) {
        Ok(()) => ranks.finish(),
        Err(failure) => {
            wait_for_the_leader();
            tell(&failure);
            ranks.abort(exit_status(&failure))
        }
    }
}

/// A process that was started alone, where the config asks for several nodes.
fn alone(trainer: &TrainerSettings, wanted: Option<usize>, library: Option<&Path>) -> Failure {
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
    Failure::usage(message, format!("{}; {found}", commands(trainer, wanted, LauncherKind::Hydra)))
}

/// Another number of processes than the config asks for.
fn mismatch(trainer: &TrainerSettings, launcher: &Launcher, wanted: usize, got: usize) -> Failure {
    let message = format!(
        "trainer.devices × trainer.num_nodes: expected {wanted} processes, a worker each, got {got} from {}",
        launcher.kind
    );
    let commands = commands(trainer, Some(wanted), launcher.kind);
    Failure::usage(message, format!("{commands}; or set trainer.devices so that devices times nodes is {got}"))
}

/// What to type for as many processes as the config asks for.
fn commands(trainer: &TrainerSettings, wanted: Option<usize>, kind: LauncherKind) -> String {
    let words: Vec<_> = std::env::args().map(|word| super::train::quoted(&word)).collect();
    let count = wanted.map_or("N".to_owned(), |wanted| wanted.to_string());
    let nodes = trainer.num_nodes as usize;
    let per_node = wanted.map_or("N".to_owned(), |wanted| (wanted / nodes.max(1)).max(1).to_string());
    let mpirun = format!("mpirun -n {count} {}", words.join(" "));
    let srun = format!("srun --mpi=pmix --nodes={nodes} --ntasks-per-node={per_node} {}", words.join(" "));
    match kind {
        LauncherKind::Slurm => format!("type `{srun}`"),
        LauncherKind::Flux => format!("type `flux run -o pmi=pmix -N {nodes} -n {count} {}`", words.join(" ")),
        _ => format!("type `{mpirun}`, or with Slurm `{srun}`"),
    }
}
