//! `spectramind runs report`

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::chart::Picture;
use crate::cli::compose::{self, Sources};
use crate::cli::config::explain::short;
use crate::cli::output::outln;
use crate::cli::progress::Stages;
use crate::cli::train::{quoted, verifier};
use crate::config::{Composer, Config, Differences, SearchPath};
use crate::durable;
use crate::engine::task::Metric;
use crate::failure::{Context, Failure, FailureKind, Result};
use crate::manifest::claimed::ClaimedRun;
use crate::manifest::predicate::DataRole;
use crate::manifest::verdict::ReplayVerdict;
use crate::provenance::path::RelativePath;
use crate::run::{Workloads, curves};
use crate::verify::VERDICT;

use super::page;
use super::verdict::verdict;

/// The config inside a run directory.
const CONFIG: &str = ".hydra/config.yaml";

/// Write what is known of a run, or of several beside each other, as one page that needs nothing else
///
/// Every file that is shown is compared with the manifest; whether the manifest is to be believed the page does not say, but how
/// to find out.
#[derive(clap::Args)]
pub struct Arguments {
    /// The run directories; with several they are compared
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Where the page goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where a data set is now, if not where the record says
    #[arg(long, value_name = "NAME=DIR", value_parser = named)]
    data: Vec<(String, PathBuf)>,
    /// Folder of the primary configs (-cp), for what set each key [default: configs]
    #[arg(long, value_name = "DIR", help_heading = "Hydra")]
    config_path: Option<PathBuf>,
}

fn named(text: &str) -> Result<(String, PathBuf), String> {
    let (name, folder) = text.split_once('=').ok_or("expected NAME=DIR")?;
    Ok((name.to_owned(), folder.into()))
}

/// A run, and what a page shows of it.
pub(super) struct Reported {
    pub run: ClaimedRun,
    pub verdict: Option<Result<ReplayVerdict, String>>,
    pub summary: Option<String>,
    pub config: ShownConfig,
    /// Or why there are none.
    pub pictures: Result<Vec<Picture>, String>,
    pub curves: Vec<Picture>,
    /// To paste.
    pub verify: Vec<String>,
}

/// A config as it was recorded.
pub(super) struct ShownConfig {
    /// As Hydra wrote it.
    pub text: String,
    /// Key, value, what set it, what lost: where the configs that are here compose the recorded one.
    pub origins: Result<Vec<[String; 4]>, String>,
}

/// Writes the page.
///
/// # Errors
/// When a run is not signed, a file of it is not the signed one, or the page cannot be written.
pub fn run(arguments: &Arguments, workloads: &Workloads) -> Result<()> {
    let Arguments { runs, out, data, config_path } = arguments;
    curves::check_number(runs.len())?;
    let claimed = runs.iter().map(|run| ClaimedRun::open(run)).collect::<Result<Vec<_>, _>>()?;
    if let Some(run) = claimed.iter().find(|run| run.holds(out)) {
        let message = format!(
            "--out {}: expected a file outside the run directory {}, in which an audit refuses what nobody signed",
            out.display(),
            run.root().display()
        );
        return Err(Failure::usage(message, "write it beside the run directory"));
    }
    let roots: BTreeMap<String, PathBuf> = data.iter().cloned().collect();
    let sources = Sources { config_path: config_path.clone(), ..Sources::default() };
    let mut reported = Vec::new();
    for run in claimed {
        reported.push(report(run, workloads, &roots, &sources)?);
    }
    let compared = match reported.as_slice() {
        [_] => None,
        several => Some(compare(several)?),
    };
    let text = page::render(&reported, compared.as_ref());
    durable::write_whole(out, text.as_bytes()).with_context(|| format!("cannot write {}", out.display()))?;
    outln!("{}", out.display());
    Ok(())
}

fn report(
    run: ClaimedRun,
    workloads: &Workloads,
    roots: &BTreeMap<String, PathBuf>,
    sources: &Sources,
) -> Result<Reported> {
    let claim = run.claim();
    let workload = workloads.get(&claim.workload);
    let metrics = claim.metrics.iter().map(|metric| Metric { name: metric.name.clone(), value: metric.value.get() });
    let metrics: Vec<_> = metrics.collect();
    let mut stages = Stages::new(false);
    let pictures = match workload {
        None => Err(Failure::missing(format!("this program does not know the workload {:?}", claim.workload))),
        Some(workload) => workload.pictures(&run, roots, &mut |progress| stages.report(progress)),
    };
    stages.finish();
    let pictures = match pictures {
        // Data that are not here say nothing of the run; a file that is not the signed one does.
        Err(failure) if failure.kind() == FailureKind::Missing => Err(failure.to_string()),
        Err(failure) => return Err(failure),
        Ok(pictures) => Ok(pictures),
    };
    Ok(Reported {
        verdict: verdict(&run)?,
        summary: workload.map(|workload| workload.summary(&metrics)),
        config: config(&run, sources)?,
        curves: curves::curves(&[(String::new(), &run)])?,
        verify: commands(&run),
        pictures,
        run,
    })
}

fn config(run: &ClaimedRun, sources: &Sources) -> Result<ShownConfig> {
    let text = String::from_utf8_lossy(&run.read(CONFIG)?).into_owned();
    let record = &run.claim().config;
    let composed = compose::composer(&record.job.name, sources)
        .and_then(|composer| Ok(record.compose(&composer)?))
        .map_err(|failure| failure.to_string());
    let origins = composed.and_then(|config| {
        let digest = config.digest().map_err(|error| error.to_string())?;
        match digest == record.digest {
            true => Ok(origins(&config)),
            false => Err("the configs that are here compose another config than the recorded one".to_owned()),
        }
    });
    Ok(ShownConfig { text, origins })
}

/// Of every key that is no folder of others: its value as written, what set it, and what lost.
fn origins(config: &Config) -> Vec<[String; 4]> {
    let leaves = config.origins().filter_map(|(key, origin)| {
        let value = config.value().get(key)?;
        let is_leaf = value.as_map().is_none_or(|map| map.is_empty());
        let lost: Vec<_> =
            origin.overridden.iter().rev().map(|lost| format!("{} ({})", short(&lost.value), lost.origin)).collect();
        is_leaf.then(|| [key.to_owned(), short(value), origin.origin.to_string(), lost.join(", ")])
    });
    leaves.collect()
}

/// The commands that say whether a run is to be believed.
fn commands(run: &ClaimedRun) -> Vec<String> {
    let (claim, directory) = (run.claim(), quoted(&run.root().display().to_string()));
    let mut audit = vec![verifier(), "audit".into(), directory.clone(), "--key PUB.pem".into(), "--replay".into()];
    for data in claim.data.iter().filter(|data| data.role == DataRole::Raw) {
        if RelativePath::parse(&data.root).is_err() {
            audit.extend(["--data".into(), quoted(&format!("{}=DIR", data.name))]);
        }
    }
    let commit = claim.git.as_ref().map(|git| &git.commit);
    if claim.environment.built_from.as_ref().is_none_or(|built| Some(&built.commit) != commit) {
        audit.push("--program installed".into());
    }
    let mut commands = vec![audit.join(" ")];
    if run.root().join(VERDICT).exists() {
        commands.push(format!("{} verdict {directory} --trust TRUST.json --root-key ROOT.pub", verifier()));
    }
    commands
}

/// Several runs beside each other.
pub(super) struct Comparison {
    /// Name and value in each run, where it has it.
    pub metrics: Vec<(String, Vec<Option<f64>>)>,
    /// Key and value in each run, where it has it.
    pub keys: Vec<(String, Vec<Option<String>>)>,
    pub curves: Vec<Picture>,
}

fn compare(runs: &[Reported]) -> Result<Comparison> {
    let mut names: Vec<&str> = Vec::new();
    for metric in runs.iter().flat_map(|run| &run.run.claim().metrics) {
        if !names.contains(&metric.name.as_str()) {
            names.push(&metric.name);
        }
    }
    let value = |run: &Reported, name: &str| {
        run.run.claim().metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value.get())
    };
    let metrics = names.iter().map(|name| ((*name).to_owned(), runs.iter().map(|run| value(run, name)).collect()));
    let configs = runs.iter().map(|run| recorded(&run.config.text)).collect::<Result<Vec<_>>>()?;
    let keys = differing(&configs);
    let named: Vec<_> = runs.iter().map(|run| (run.run.claim().run.id.clone(), &run.run)).collect();
    Ok(Comparison { metrics: metrics.collect(), keys, curves: curves::curves(&named)? })
}

/// The keys in which any config differs from the first, with what each has there, as it was written.
fn differing(configs: &[Config]) -> Vec<(String, Vec<Option<String>>)> {
    let first = &configs[0];
    let mut rows: Vec<(String, Vec<Option<String>>)> = Vec::new();
    for (place, other) in configs.iter().enumerate().skip(1) {
        for key in Differences::between((first, first.value()), (other, other.value())).keys {
            let [of_first, of_other] = [key.first, key.second].map(|side| side.map(|(value, _)| short(&value)));
            let row = rows.iter().position(|(path, _)| *path == key.path).unwrap_or_else(|| {
                // Whoever does not differ from the first has what that has.
                rows.push((key.path, vec![of_first; configs.len()]));
                rows.len() - 1
            });
            rows[row].1[place] = of_other;
        }
    }
    rows
}

/// A config that was written by Hydra, as it stands.
fn recorded(text: &str) -> Result<Config> {
    let files = BTreeMap::from([("config.yaml".to_owned(), text.to_owned())]);
    Ok(Composer::new(SearchPath::new().memory("run", files)).compose::<&str>("config", &[])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_any_run_and_elements_of_lists_are_compared() {
        let texts = ["a: [1, 2]\nb: {c: x}\n", "a: [1, 3]\nb: {c: x}\n", "a: [1, 2]\nb:\n  c: ${a}\n"];
        let configs = texts.map(|text| recorded(text).expect("a config"));
        let row = |key: &str, values: [&str; 3]| (key.to_owned(), values.map(|value| Some(value.to_owned())).to_vec());
        assert_eq!(differing(&configs), [row("a[1]", ["2", "3", "2"]), row("b.c", ["x", "x", "${a}"])]);
        assert_eq!(differing(&configs[..1]), []);
    }
}
