//! `spectramind plot`

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{PlotError, pictures};
use crate::ariel::config::PlotConfig;
use crate::config::Config;
use crate::durable;
use crate::failure::Failure;
use crate::manifest::claimed::{ClaimedError, ClaimedRun};
use crate::run::curves;
use crate::workload::{Answer, Progress};

/// Draws all pictures of a run into a folder beside it.
pub(in crate::ariel) fn plot(config: &Config, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Answer, Failure> {
    let PlotConfig { run, data, out } = config.extract()?;
    let root = run.canonicalize().map_err(|_| ClaimedError::Unsigned { root: run.clone() })?;
    let claimed = ClaimedRun::open(&run)?;
    // Before anything is drawn: a place where it must not go.
    let out = folder(&root, &run, out)?;
    let mut drawn = pictures(&claimed, &data, progress)?;
    drawn.extend(curves::curves(&[(String::new(), &claimed)])?);
    let cannot = |path: &Path, error| PlotError::Write { path: path.to_owned(), source: error };
    std::fs::create_dir_all(&out).map_err(|error| cannot(&out, error))?;
    let mut paths = Vec::new();
    for picture in &drawn {
        for (extension, bytes) in [("svg", picture.svg().as_bytes()), ("png", &picture.png()?)] {
            let path = out.join(format!("{}.{extension}", picture.name));
            durable::write_whole(&path, bytes).map_err(|error| cannot(&path, error))?;
            paths.push(path.display().to_string());
        }
    }
    Ok(Answer { text: paths.join("\n"), json: json!({ "written": paths }) })
}

/// Where pictures of a run go; never into its directory.
fn folder(root: &Path, run: &Path, out: Option<PathBuf>) -> Result<PathBuf, PlotError> {
    let Some(out) = out else {
        let mut name = root.file_name().unwrap_or_default().to_owned();
        name.push("-plots");
        // As it was named, where it has a name there: a short path is one that a person can read.
        let beside = if run.file_name().is_some() && !run.is_symlink() { run } else { root };
        return Ok(beside.with_file_name(name));
    };
    // As much of it as there is: links may lead back into the run.
    let there = std::path::absolute(&out).unwrap_or_else(|_| out.clone());
    let inside = there.ancestors().find_map(|folder| folder.canonicalize().ok()).is_some_and(|at| at.starts_with(root));
    match inside {
        true => Err(PlotError::InsideRun { out }),
        false => Ok(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_go_beside_a_run_and_never_into_it() {
        let temporary = tempfile::tempdir().expect("temp dir");
        let top = temporary.path().canonicalize().expect("a path");
        let run = top.join("runs/a");
        std::fs::create_dir_all(run.join("logs")).expect("made");
        let folder = |out: Option<PathBuf>| folder(&run, &run, out);
        assert_eq!(folder(None).expect("beside"), top.join("runs/a-plots"));
        assert_eq!(folder(Some(top.join("elsewhere/new"))).expect("elsewhere"), top.join("elsewhere/new"));
        assert_eq!(folder(Some(top.join("runs/ab"))).expect("another"), top.join("runs/ab"));
        let mut inside = vec![run.clone(), run.join("plots/new"), run.join("logs/../x")];
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&run, top.join("link")).expect("a link");
            inside.push(top.join("link/plots"));
        }
        for out in inside {
            let error = folder(Some(out.clone())).expect_err("inside").to_string();
            assert!(error.contains("outside the run directory"), "{}: {error}", out.display());
        }
    }
}
