//! Finding an MPI library at run time: which files are looked for, and what is said when none will do.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use libloading::Library as Dynamic;
use thiserror::Error;

use crate::abi::{self, Abi, Mpi};
use crate::{Launcher, LauncherKind};

/// Where to look for an MPI library.
#[derive(Clone, Copy, Debug, Default)]
pub struct Search<'a> {
    /// This file and no other.
    pub library: Option<&'a Path>,
    /// Looked into before the places where the system looks: the `lib` beside the launcher's `bin`, say.
    pub directories: &'a [PathBuf],
    /// Who started this process. After Open MPI's `mpirun`, Open MPI's own library comes first.
    pub launcher: Option<&'a Launcher>,
}

#[cfg(target_os = "macos")]
const STANDARD: [&str; 2] = ["libmpi_abi.1.dylib", "libmpi_abi.0.dylib"];
#[cfg(not(target_os = "macos"))]
const STANDARD: [&str; 2] = ["libmpi_abi.so.1", "libmpi_abi.so.0"];
#[cfg(target_os = "macos")]
const OPEN_MPI: &str = "libmpi.40.dylib";
#[cfg(not(target_os = "macos"))]
const OPEN_MPI: &str = "libmpi.so.40";

impl Search<'_> {
    /// The files that are tried, in order. A bare name is looked for where the system looks.
    pub fn candidates(&self) -> Vec<PathBuf> {
        if let Some(library) = self.library {
            return vec![library.to_owned()];
        }
        let names = match self.launcher.map(|launcher| launcher.kind) {
            Some(LauncherKind::OpenMpi) => [OPEN_MPI, STANDARD[0], STANDARD[1]],
            _ => [STANDARD[0], STANDARD[1], OPEN_MPI],
        };
        let within = self.directories.iter().flat_map(|directory| names.map(|name| directory.join(name)));
        // A library that is not there needs no line in an error about each directory.
        within.filter(|file| file.exists()).chain(names.map(PathBuf::from)).collect()
    }
}

/// An MPI library, loaded into this process and not yet started: [`crate::World::start`].
///
/// It stays loaded until the process ends.
pub struct Library {
    file: PathBuf,
    abi: Abi,
    version: String,
    mpi: Mpi,
}

/// No library could be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("no MPI library that can be used; looked for {}", listed(.tried))]
pub struct NoLibrary {
    /// What was looked for, in order.
    pub tried: Vec<Tried>,
}

/// One file that could not be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// A path, or a bare name.
    pub file: PathBuf,
    /// In the words of the system, or ours.
    pub reason: String,
}

fn listed(tried: &[Tried]) -> String {
    let one = |tried: &Tried| {
        let file = tried.file.display().to_string();
        match tried.reason.strip_prefix(&format!("{file}: ")) {
            Some(reason) => format!("{file} ({reason})"),
            None => format!("{file} ({})", tried.reason),
        }
    };
    tried.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl Library {
    /// Loads the first library of [`Search::candidates`] that can be used.
    ///
    /// # Errors
    /// There is none: which were tried, and why each will not do.
    pub fn load(search: &Search<'_>) -> Result<Self, NoLibrary> {
        Self::first_of(search.candidates())
    }

    fn first_of(files: Vec<PathBuf>) -> Result<Self, NoLibrary> {
        let mut tried = Vec::new();
        for file in files {
            match Self::open(&file) {
                Ok(library) => return Ok(library),
                Err(reason) => tried.push(Tried { file, reason }),
            }
        }
        Err(NoLibrary { tried })
    }

    fn open(file: &Path) -> Result<Self, String> {
        let name = file_name(file);
        let library = open(file, name).map_err(|error| reason(&error))?;
        let abi = match abi::abi_of(&library, name) {
            Ok(abi) => abi,
            Err(reason) => {
                // Not unloaded: not every library that was started survives that.
                std::mem::forget(library);
                return Err(reason);
            }
        };
        let mpi = Mpi::of(library, abi).map_err(|missing| format!("it lacks {missing}"))?;
        let file = file_at(abi::address_of_a_function(&mpi)).unwrap_or_else(|| file.to_owned());
        Ok(Self { file, abi, version: mpi.library_version(), mpi })
    }

    /// The file it was loaded from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Its binary interface.
    pub fn abi(&self) -> Abi {
        self.abi
    }

    /// What it says it is (`MPI_Get_library_version`): several lines for some.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What it says it is, on one line.
    pub fn short_version(&self) -> String {
        let first = self.version.lines().next().unwrap_or_default();
        let first = first.split(", package").next().unwrap_or_default();
        first.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn mpi(&self) -> &Mpi {
        &self.mpi
    }

    pub(crate) fn is_mpich(&self) -> bool {
        self.version.starts_with("MPICH")
    }

    /// Whether it could ask a launcher that speaks PMIx alone. MPICH that was built without ends the process instead of
    /// returning an error; with it, it is linked to libpmix.
    pub(crate) fn may_speak_pmix(&self) -> bool {
        let maps = mapped_files();
        !self.is_mpich() || maps.is_empty() || maps.iter().any(|file| file_name(file).starts_with("libpmix"))
    }

    /// Removes the names of shared memory that the library would leave behind: they fill `/dev/shm` up. All ranks must
    /// have it open; what is open stays.
    ///
    /// MPICH removes its own at a clean end only. With Open MPI the launcher does it, so that without one (`is_alone`) 5.0
    /// leaves its own even then; with one the others may open it later.
    pub(crate) fn unlink_shared_memory(&self, is_alone: bool) {
        let prefixes: &[&str] = match (self.is_mpich(), is_alone) {
            (true, _) => &["mpich_shm_"],
            (false, true) => &["sm_segment.", "vader_segment."],
            (false, false) => &[],
        };
        let is_segment = |file: &PathBuf| {
            file.starts_with("/dev/shm") && prefixes.iter().any(|prefix| file_name(file).starts_with(prefix))
        };
        for segment in mapped_files().into_iter().filter(is_segment) {
            // Another rank of this host may have been first.
            let _ = std::fs::remove_file(segment);
        }
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Library").field("file", &self.file).field("abi", &self.abi).finish_non_exhaustive()
    }
}

impl fmt::Display for Library {
    /// `/usr/lib/libmpi.so.40 (Open MPI v4.1.4)`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.file.display(), self.short_version())
    }
}

/// The system's own words, if it has any.
fn reason(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(unix)]
fn open(file: &Path, name: &str) -> Result<Dynamic, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LOCAL, RTLD_NOW};
    // Open MPI loads components that look for its functions among the process's own.
    let scope = if name.starts_with("libmpi_abi.") { RTLD_LOCAL } else { RTLD_GLOBAL };
    // SAFETY: loading runs the library's initialisers. That it is an MPI library is said by its name, or by the user
    // who gave the path; MPI libraries are made to be loaded so (mpi4py does).
    unsafe { Library::open(Some(file), RTLD_NOW | scope) }.map(Dynamic::from)
}

#[cfg(not(unix))]
fn open(file: &Path, _name: &str) -> Result<Dynamic, libloading::Error> {
    // SAFETY: loading runs the library's initialisers. That it is an MPI library is said by its name, or by the user
    // who gave the path.
    unsafe { Dynamic::new(file) }
}

/// The lines of this process's memory map that are about files: their addresses, and the file.
fn mappings() -> Vec<(Range<usize>, PathBuf)> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mapping = |line: &str| {
        let (begin, end) = line.split_once(' ')?.0.split_once('-')?;
        let hexadecimal = |text| usize::from_str_radix(text, 16).ok();
        Some((hexadecimal(begin)?..hexadecimal(end)?, PathBuf::from(&line[line.find('/')?..])))
    };
    maps.lines().filter_map(mapping).collect()
}

/// The files that are mapped, where the system tells.
fn mapped_files() -> BTreeSet<PathBuf> {
    mappings().into_iter().map(|(_, file)| file).collect()
}

/// The file that is mapped at an address, where the system tells.
fn file_at(address: usize) -> Option<PathBuf> {
    mappings().into_iter().find(|(addresses, _)| addresses.contains(&address)).map(|(_, file)| file)
}

fn file_name(file: &Path) -> &str {
    file.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_abi_comes_first_but_after_open_mpis_launcher() {
        let names = |search: &Search<'_>| -> Vec<String> {
            search.candidates().iter().map(|file| file.display().to_string()).collect()
        };
        let [one, zero] = STANDARD;
        assert_eq!(names(&Search::default()), [one, zero, OPEN_MPI]);
        let launcher = Launcher::from_environment(|name| (name == "OMPI_COMM_WORLD_SIZE").then(|| "2".into()));
        let search = Search { launcher: launcher.as_ref(), ..Search::default() };
        assert_eq!(names(&search), [OPEN_MPI, one, zero]);
        let library = Path::new("/opt/libmpi.so.40");
        assert_eq!(names(&Search { library: Some(library), ..search }), ["/opt/libmpi.so.40"]);
    }

    #[test]
    fn a_file_that_is_no_library_is_named_with_its_reason() {
        let library = Some(Path::new("/nowhere/libmpi_abi.so.1"));
        let error = Library::load(&Search { library, ..Search::default() }).expect_err("no file");
        let text = error.to_string();
        let begin = "no MPI library that can be used; looked for /nowhere/libmpi_abi.so.1 (";
        assert!(text.starts_with(begin) && text.contains("No such file"), "{text}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn all_that_were_looked_for_are_named_each_with_its_reason() {
        let error =
            Library::first_of(["libmpi_abi.so.1001", "libm.so.6"].map(PathBuf::from).into()).expect_err("neither");
        assert_eq!(
            error.to_string(),
            "no MPI library that can be used; looked for libmpi_abi.so.1001 (cannot open shared object file: No such file \
             or directory), libm.so.6 (it is no MPI library)"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn another_library_is_no_mpi() {
        let library = Some(Path::new("libm.so.6"));
        let error = Library::load(&Search { library, ..Search::default() }).expect_err("the C library's mathematics");
        assert_eq!(error.to_string(), "no MPI library that can be used; looked for libm.so.6 (it is no MPI library)");
    }
}
