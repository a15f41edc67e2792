//! `spectramind export mlflow`: a signed run as a run of an MLflow server, over its REST API (2.0, as of MLflow 3.17).
//!
//! The server's run is found again by a tag with the identity of the manifest, and says in another how many figures it has.
//! So an export that was cut goes on. Whatever is sent a second time is the same, which MLflow keeps once.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::cli::export::http::Server;
use crate::cli::output::outln;
use crate::config;
use crate::event_log::{EVENTS, EventLog, standing};
use crate::failure::{Context, Failure, Result};
use crate::logger::flattened;
use crate::manifest::claimed::{ClaimedRun, MANIFEST};
use crate::manifest::predicate::ExitReason;
use crate::manifest::timestamp::UtcTime;

/// Send a signed run to an MLflow server: config, figures, data digests, manifest; called again, it goes on where it was cut
///
/// Signatures are not verified here; every file is compared with the manifest before it is sent.
#[derive(clap::Args)]
pub struct Arguments {
    /// The run directory
    run: PathBuf,
    /// The server, such as http://127.0.0.1:5000
    #[arg(long, value_name = "URL")]
    to: String,
    /// The experiment there, made if there is none of that name [default: the run's]
    #[arg(long, value_name = "NAME")]
    experiment: Option<String>,
}

/// Most figures of a request.
const METRICS: usize = 1000;
/// Most parameters of a request.
const PARAMS: usize = 100;
/// Most bytes of a request's parameters, below the server's limit of 1 MB.
const PARAM_BYTES: usize = 500_000;
/// Most bytes of a parameter's value.
const PARAM_VALUE: usize = 6000;
/// Most bytes of the digest of a data set.
const DIGEST: usize = 36;

/// The tag by which the run is found: the identity of its manifest.
const MANIFEST_TAG: &str = "spectramind.manifest";
/// How many figures are there.
const METRICS_TAG: &str = "spectramind.metrics";
/// Whether everything is.
const COMPLETE_TAG: &str = "spectramind.exported";

/// Exports a run.
///
/// # Errors
/// When the run cannot be read, the address is none, or the server fails; what is there by then is told.
pub fn run(arguments: &Arguments) -> Result<()> {
    let server = Server::at(&arguments.to)?;
    let claimed = ClaimedRun::open(&arguments.run)?;
    let sent = Sent::of(&claimed)?;
    let name = arguments.experiment.clone().unwrap_or_else(|| claimed.claim().run.experiment.clone());
    let mut there = Vec::new();
    let id = send(&server, &claimed, &sent, &name, &mut there).map_err(|failure| {
        let so_far = if there.is_empty() {
            "nothing of it is there yet".to_owned()
        } else {
            format!("there: {}", there.join(", "))
        };
        let hint = failure.hint().unwrap_or("the same command again goes on from there").to_owned();
        failure.context(format!("the run was not exported; {so_far}")).with_hint(hint)
    })?;
    outln!("run        {id}");
    outln!("there      {}", there.join(", "));
    Ok(())
}

/// What is sent of a run.
struct Sent {
    params: Vec<Value>,
    metrics: Vec<Value>,
    inputs: Vec<Value>,
    tags: Vec<Value>,
}

impl Sent {
    fn of(run: &ClaimedRun) -> Result<Self> {
        Ok(Self { params: params(run)?, metrics: metrics(run)?, inputs: inputs(run), tags: tags(run) })
    }
}

/// Sends what is not there yet, and says what is. Gives the identifier of the server's run.
fn send(server: &Server, run: &ClaimedRun, sent: &Sent, experiment: &str, there: &mut Vec<String>) -> Result<String> {
    let experiment = experiment_id(server, experiment)?;
    let found = match find(server, run, &experiment)? {
        Some(found) => found,
        None => create(server, run, sent, &experiment)?,
    };
    let id = text(&found, "/info/run_id")?;
    there.push(format!("run {id}"));
    if tag(&found, COMPLETE_TAG).is_some() {
        there.push("all of it, from before".into());
        return Ok(id);
    }
    let log = |batch: Value| -> Result<()> {
        let mut batch = batch;
        batch["run_id"] = json!(id);
        server.post("api/2.0/mlflow/runs/log-batch", &batch)?.json().map(drop)
    };
    for batch in batches(&sent.params) {
        log(json!({ "params": batch }))?;
    }
    there.push(format!("{} parameters", sent.params.len()));
    if !sent.inputs.is_empty() {
        server.post("api/2.0/mlflow/runs/log-inputs", &json!({ "run_id": id, "datasets": sent.inputs }))?.json()?;
        there.push(format!("{} data digests", sent.inputs.len()));
    }
    let mut done = tag(&found, METRICS_TAG).and_then(|count| count.parse().ok()).unwrap_or(0).min(sent.metrics.len());
    let all = sent.metrics.len();
    there.push(format!("{done} of {all} figures"));
    for batch in sent.metrics[done..].chunks(METRICS) {
        done += batch.len();
        log(json!({ "metrics": batch, "tags": [{ "key": METRICS_TAG, "value": done.to_string() }] }))?;
        *there.last_mut().expect("one was pushed") = format!("{done} of {all} figures");
    }
    let artifacts = text(&found, "/info/artifact_uri")?;
    let Some(path) = artifacts.strip_prefix("mlflow-artifacts:").map(|path| path.trim_start_matches('/')) else {
        let message = format!(
            "{MANIFEST}: expected a server that takes artefacts itself (mlflow-artifacts:), got one that keeps them elsewhere"
        );
        return Err(
            Failure::new(message).with_hint("start the server with --serve-artifacts and name a new --experiment")
        );
    };
    let path = format!("api/2.0/mlflow-artifacts/artifacts/{path}/{MANIFEST}");
    server.put(&path, run.bundle())?.yes()?;
    there.push(MANIFEST.into());
    let claim = run.claim();
    let end = json!({ "run_id": id, "status": status(claim.exit.reason), "end_time": milliseconds(claim.finished_at) });
    server.post("api/2.0/mlflow/runs/update", &end)?.json()?;
    log(json!({ "tags": [{ "key": COMPLETE_TAG, "value": "complete" }] }))?;
    Ok(id)
}

/// The experiment of that name, made if there is none.
fn experiment_id(server: &Server, name: &str) -> Result<String> {
    let found = server.get("api/2.0/mlflow/experiments/get-by-name", "experiment_name", name)?.found()?;
    match found {
        Some(found) => text(&found, "/experiment/experiment_id"),
        None => {
            text(&server.post("api/2.0/mlflow/experiments/create", &json!({ "name": name }))?.json()?, "/experiment_id")
        }
    }
}

/// The server's run of this manifest.
fn find(server: &Server, run: &ClaimedRun, experiment: &str) -> Result<Option<Value>> {
    let filter = format!("tags.`{MANIFEST_TAG}` = '{}'", run.identity());
    let asked = json!({ "experiment_ids": [experiment], "filter": filter, "max_results": 1 });
    let found = server.post("api/2.0/mlflow/runs/search", &asked)?.json()?;
    Ok(found.pointer("/runs/0").cloned())
}

fn create(server: &Server, run: &ClaimedRun, sent: &Sent, experiment: &str) -> Result<Value> {
    let claim = run.claim();
    let asked = json!({
        "experiment_id": experiment,
        "run_name": claim.run.id,
        "start_time": milliseconds(claim.started_at),
        "tags": sent.tags,
    });
    let made = server.post("api/2.0/mlflow/runs/create", &asked)?.json()?;
    made.get("run").cloned().ok_or_else(|| Failure::new(format!("{}: expected a run, got none", server.url())))
}

fn tags(run: &ClaimedRun) -> Vec<Value> {
    let claim = run.claim();
    let mut tags = vec![(MANIFEST_TAG, run.identity().to_string()), ("spectramind.workload", claim.workload.clone())];
    tags.extend(claim.training().map(|training| ("spectramind.step_root", training.steps.merkle_root.to_string())));
    tags.extend(claim.git.as_ref().map(|git| ("mlflow.source.git.commit", git.commit.to_string())));
    tags.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}

/// The composed config, by dotted key.
fn params(run: &ClaimedRun) -> Result<Vec<Value>> {
    const CONFIG: &str = ".hydra/config.yaml";
    if !run.has(CONFIG) {
        return Ok(Vec::new());
    }
    let bytes = run.read(CONFIG)?;
    let config = config::load_yaml(&String::from_utf8_lossy(&bytes))
        .with_context(|| format!("cannot read {}", run.root().join(CONFIG).display()))?;
    let param = |param: crate::logger::Param| json!({ "key": key(&param.key), "value": cut(param.value.to_string(), PARAM_VALUE) });
    Ok(flattened(&config).into_iter().map(param).collect())
}

/// The figures of the log of events; of a run without one, those at its end.
fn metrics(run: &ClaimedRun) -> Result<Vec<Value>> {
    let claim = run.claim();
    let began = milliseconds(claim.started_at);
    let point = |name: &str, value: f64, at: i64, step: u64| json!({ "key": key(name), "value": number(value), "timestamp": at, "step": step });
    if !run.has(EVENTS) {
        let (step, at) = (claim.training().map_or(0, |training| training.steps.count), milliseconds(claim.finished_at));
        return Ok(claim.metrics.iter().map(|metric| point(&metric.name, metric.value.get(), at, step)).collect());
    }
    let log = EventLog::read(&String::from_utf8_lossy(&run.read(EVENTS)?))
        .with_context(|| format!("cannot read {}", run.root().join(EVENTS).display()))?;
    let mut points = Vec::new();
    for line in standing(&log.lines) {
        let at = began + (line.elapsed_seconds * 1000.0) as i64;
        let figures = line.event.figures().into_iter().flat_map(|(_, figures)| figures);
        points.extend(figures.map(|figure| point(&figure.name, figure.value, at, line.step)));
    }
    Ok(points)
}

/// The data sets with their Merkle roots, of which a digest there has room for half.
fn inputs(run: &ClaimedRun) -> Vec<Value> {
    let input = |data: &crate::manifest::predicate::DataRecord| {
        let root = data.merkle_root.to_string();
        let source = json!({ "merkle_root": root, "files": data.files, "bytes": data.bytes.0.to_string() });
        json!({
            "tags": [{ "key": "mlflow.data.context", "value": data.role.name() }, { "key": "merkle_root", "value": root }],
            "dataset": {
                "name": data.name, "digest": root[..DIGEST], "source_type": "spectramind", "source": source.to_string(),
            },
        })
    };
    run.claim().data.iter().map(input).collect()
}

/// Parameters in requests that are neither too many nor too long.
fn batches(params: &[Value]) -> Vec<Vec<&Value>> {
    let (mut batches, mut bytes) = (vec![Vec::new()], 0);
    for param in params {
        let size = param.to_string().len();
        let last = batches.last_mut().expect("one at least");
        if last.len() == PARAMS || bytes + size > PARAM_BYTES {
            batches.push(vec![param]);
            bytes = size;
        } else {
            last.push(param);
            bytes += size;
        }
    }
    batches.retain(|batch| !batch.is_empty());
    batches
}

fn status(reason: ExitReason) -> &'static str {
    match reason {
        ExitReason::Completed | ExitReason::EarlyStopped | ExitReason::MaxTime | ExitReason::WallLimit => "FINISHED",
        ExitReason::Interrupted => "KILLED",
        ExitReason::Diverged => "FAILED",
    }
}

/// A name with the characters that MLflow takes.
fn key(name: &str) -> String {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || "_-. :/".contains(c);
    name.chars().map(|c| if is_taken(c) { c } else { '_' }).collect()
}

/// A text that is no longer than that, with a mark where it was cut.
fn cut(mut text: String, bytes: usize) -> String {
    const MARK: &str = "…";
    if text.len() > bytes {
        let end = (0..=bytes - MARK.len()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text += MARK;
    }
    text
}

/// A number as the server's JSON has it.
fn number(value: f64) -> Value {
    if value.is_nan() {
        json!("NaN")
    } else if value.is_infinite() {
        json!(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        json!(value)
    }
}

fn milliseconds(time: UtcTime) -> i64 {
    time.0.as_millisecond()
}

/// A tag of a run.
fn tag<'a>(run: &'a Value, name: &str) -> Option<&'a str> {
    let tags = run.pointer("/data/tags")?.as_array()?;
    tags.iter().find(|tag| tag["key"] == name)?["value"].as_str()
}

/// A text of an answer.
fn text(answer: &Value, pointer: &str) -> Result<String> {
    let text = answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| Failure::new(format!("the server's answer: expected a text at {pointer}, got none")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_neither_too_many_nor_too_long() {
        let params: Vec<_> = (0..250).map(|number| json!({ "key": number.to_string(), "value": "x" })).collect();
        assert_eq!(batches(&params).iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 50]);
        let long: Vec<_> = (0..200).map(|_| json!({ "key": "a", "value": "x".repeat(PARAM_VALUE) })).collect();
        assert!(batches(&long).iter().all(|batch| batch.len() < 90));
        assert_eq!(batches(&[]), Vec::<Vec<&Value>>::new());
    }

    #[test]
    fn names_and_values_keep_to_the_servers_limits() {
        assert_eq!(key("a.b/c d[0]"), "a.b/c d_0_");
        assert_eq!(cut("é".repeat(4), 8), "éééé");
        assert_eq!(cut("é".repeat(5), 8), "éé…");
    }
}
