//! Who started this process as one of several: read from the environment's variables, which are an argument.

use std::ffi::OsString;
use std::fmt;

/// A kind of launcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LauncherKind {
    /// Open MPI's `mpirun`.
    OpenMpi,
    /// Hydra: the `mpiexec` of MPICH, Intel MPI, MVAPICH.
    Hydra,
    /// `flux run`.
    Flux,
    /// `srun`.
    Slurm,
    /// Another one that speaks PMI.
    Pmi,
    /// Another one that speaks PMIx. It says who one is, but not how many there are.
    Pmix,
}

impl fmt::Display for LauncherKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::OpenMpi => "Open MPI's mpirun",
            Self::Hydra => "MPICH's mpiexec",
            Self::Flux => "flux run",
            Self::Slurm => "srun",
            Self::Pmi => "a launcher with PMI",
            Self::Pmix => "a launcher with PMIx",
        })
    }
}

/// What a launcher told the process that it started.
///
/// A variable that is no number counts as absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launcher {
    /// Which one it was.
    pub kind: LauncherKind,
    /// The variable it was recognised by.
    pub variable: &'static str,
    /// How many processes it started.
    pub size: Option<usize>,
    /// This one's number.
    pub rank: Option<usize>,
    /// This one's number on its host.
    pub local_rank: Option<usize>,
    /// It speaks PMIx and not the older PMI. A library without PMIx ends the process when it meets that.
    pub is_pmix_only: bool,
}

/// Kind, the variables by one of which it is recognised; those of size, rank, rank on the host.
type Row = (LauncherKind, &'static [&'static str], &'static str, &'static str, &'static str);

/// The innermost launcher comes first: `mpirun` starts its helpers by `srun` or within `flux`, and what those set is
/// about the helpers.
///
/// Slurm sets SLURM_NTASKS and SLURM_PROCID also in a batch script, where nothing was started several times:
/// SLURM_STEP_NUM_TASKS is srun's.
const ROWS: [Row; 6] = [
    (
        LauncherKind::OpenMpi,
        &["OMPI_COMM_WORLD_SIZE"],
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_LOCAL_RANK",
    ),
    (LauncherKind::Hydra, &["HYDI_CONTROL_FD", "MPI_LOCALNRANKS"], "PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID"),
    (LauncherKind::Flux, &["FLUX_TASK_RANK"], "FLUX_JOB_SIZE", "FLUX_TASK_RANK", "FLUX_TASK_LOCAL_ID"),
    (LauncherKind::Slurm, &["SLURM_STEP_NUM_TASKS"], "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID"),
    (LauncherKind::Pmi, &["PMI_SIZE"], "PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID"),
    (LauncherKind::Pmix, &["PMIX_RANK"], "", "PMIX_RANK", ""),
];

impl Launcher {
    /// The launcher that started this process, if one did: `get` looks up an environment variable.
    pub fn from_environment(get: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let number = |name: &str| {
            let text = if name.is_empty() { None } else { get(name) };
            text.and_then(|text| text.to_str().and_then(|text| text.trim().parse().ok()))
        };
        let is_pmix_only = get("PMIX_RANK").is_some() && get("PMI_RANK").is_none();
        ROWS.iter().find_map(|&(kind, marks, size, rank, local_rank)| {
            let variable = marks.iter().find(|name| get(name).is_some())?;
            let (size, rank, local_rank) = (number(size), number(rank), number(local_rank));
            Some(Self { kind, variable, size, rank, local_rank, is_pmix_only })
        })
    }
}

impl fmt::Display for Launcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.kind)?;
        match self.size {
            Some(1) => write!(formatter, ", which started 1 process")?,
            Some(size) => write!(formatter, ", which started {size} processes")?,
            None => {}
        }
        write!(formatter, " ({} is set)", self.variable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &str) -> Option<Launcher> {
        let variables: Vec<(&str, &str)> =
            variables.split_whitespace().map(|pair| pair.split_once('=').expect("=")).collect();
        Launcher::from_environment(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        })
    }

    fn said(launcher: &Launcher) -> (LauncherKind, Option<usize>, Option<usize>, Option<usize>) {
        (launcher.kind, launcher.size, launcher.rank, launcher.local_rank)
    }

    #[test]
    fn each_launcher_is_recognised_by_what_it_sets() {
        let cases = [
            (
                "OMPI_COMM_WORLD_SIZE=8 OMPI_COMM_WORLD_RANK=5 OMPI_COMM_WORLD_LOCAL_RANK=1 PMIX_RANK=5",
                (LauncherKind::OpenMpi, Some(8), Some(5), Some(1)),
            ),
            (
                "HYDI_CONTROL_FD=7 MPI_LOCALNRANKS=2 MPI_LOCALRANKID=1 PMI_FD=9 PMI_RANK=3 PMI_SIZE=4",
                (LauncherKind::Hydra, Some(4), Some(3), Some(1)),
            ),
            (
                "FLUX_JOB_SIZE=4 FLUX_TASK_RANK=2 FLUX_TASK_LOCAL_ID=0 PMI_RANK=2 PMI_SIZE=4",
                (LauncherKind::Flux, Some(4), Some(2), Some(0)),
            ),
            (
                "SLURM_STEP_NUM_TASKS=16 SLURM_NTASKS=16 SLURM_PROCID=9 SLURM_LOCALID=1 PMIX_RANK=9",
                (LauncherKind::Slurm, Some(16), Some(9), Some(1)),
            ),
            ("PMI_RANK=0 PMI_SIZE=2", (LauncherKind::Pmi, Some(2), Some(0), None)),
            ("PMIX_RANK=3 PMIX_NAMESPACE=x", (LauncherKind::Pmix, None, Some(3), None)),
        ];
        for (variables, expected) in cases {
            let launcher = of(variables).expect("one");
            assert_eq!(said(&launcher), expected, "{variables}");
            assert_eq!(launcher.is_pmix_only, variables.contains("PMIX_RANK"), "{variables}");
        }
    }

    #[test]
    fn the_innermost_launcher_counts() {
        let helpers = "SLURM_STEP_NUM_TASKS=2 SLURM_PROCID=1 SLURM_LOCALID=0";
        let launcher = of(&format!("{helpers} HYDI_CONTROL_FD=3 PMI_SIZE=16 PMI_RANK=15")).expect("one");
        assert_eq!(said(&launcher), (LauncherKind::Hydra, Some(16), Some(15), None));
        let launcher = of(&format!("{helpers} OMPI_COMM_WORLD_SIZE=16 OMPI_COMM_WORLD_RANK=15")).expect("one");
        assert_eq!(said(&launcher), (LauncherKind::OpenMpi, Some(16), Some(15), None));
    }

    #[test]
    fn a_batch_script_and_a_shell_were_started_by_none() {
        assert_eq!(of("SLURM_JOB_ID=7 SLURM_NTASKS=4 SLURM_PROCID=0 SLURM_LOCALID=0"), None);
        assert_eq!(of("HOME=/root"), None);
    }

    #[test]
    fn what_is_no_number_counts_as_absent() {
        let launcher = of("OMPI_COMM_WORLD_SIZE=many OMPI_COMM_WORLD_RANK=-1").expect("one");
        assert_eq!(said(&launcher), (LauncherKind::OpenMpi, None, None, None));
    }

    #[test]
    fn a_launcher_says_how_it_was_recognised() {
        let launcher = of("PMI_RANK=0 PMI_SIZE=2 MPI_LOCALNRANKS=2").expect("one");
        assert_eq!(launcher.to_string(), "MPICH's mpiexec, which started 2 processes (MPI_LOCALNRANKS is set)");
        assert_eq!(of("PMIX_RANK=3").expect("one").to_string(), "a launcher with PMIx (PMIX_RANK is set)");
    }
}
