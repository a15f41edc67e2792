//! `spectramind package`

use std::path::PathBuf;

use crate::ariel::package::{Contents, package};
use crate::cli::output::outln;
use crate::cli::train::quoted;
use crate::failure::{Context, Result};
use crate::manifest::claimed::ClaimedRun;

/// Make the folder to upload to Kaggle: the program, a signed Ariel run, and a notebook that predicts with them offline
///
/// Every file of the run is compared with the manifest as it is copied. The notebook checks the package, predicts the test planets
/// of the competition's data, and says how to verify the run.
#[derive(clap::Args)]
pub struct Arguments {
    /// The run directory
    run: PathBuf,
    /// The program, for Linux on x86-64 [default: this one]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Where the folder goes, which must not be there [default: beside the run directory, with -package after its name]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Makes the folder.
///
/// # Errors
/// See [`package`].
pub fn run(Arguments { run, program, out }: &Arguments) -> Result<()> {
    let claimed = ClaimedRun::open(run)?;
    let program = match program {
        Some(program) => program.clone(),
        None => {
            std::env::current_exe().context("this program does not know where it lies: name it with --program FILE")?
        }
    };
    let out = out.clone().unwrap_or_else(|| claimed.beside("-package"));
    let verify = format!("spectramind-verify audit {} --key PUB.pem --replay", quoted("run"));
    let made = package(Contents { run: &claimed, program: &program, verify: &verify }, &out)?;
    if !made.is_trainers {
        eprintln!("Warning: {} is not the program that trained the run: predictions may differ", program.display());
    }
    if !made.of_frames {
        eprintln!(
            "Warning: the run was trained on light curves of a simulation: it predicts such ones, and not the frames of the \
             competition"
        );
    }
    outln!("{}", out.display());
    match made.glibc {
        Some(glibc) => outln!("program    needs Linux on x86-64 with glibc {glibc} or newer"),
        None => outln!("program    needs Linux on x86-64 and no glibc"),
    }
    outln!(
        "next       upload the folder as a data set, open predict.ipynb on Kaggle with it and the competition's data, internet off"
    );
    Ok(())
}
