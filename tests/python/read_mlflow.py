"""Reads the runs of an MLflow server with the package's own client, and prints them as JSON."""

import json
import sys

import mlflow
from mlflow import MlflowClient

url, experiment = sys.argv[1:]
mlflow.set_tracking_uri(url)
client = MlflowClient()
found = []
for run in client.search_runs([client.get_experiment_by_name(experiment).experiment_id]):
    id = run.info.run_id
    points = [(point.step, key, point.value) for key in run.data.metrics for point in client.get_metric_history(id, key)]
    found.append(
        {
            "status": run.info.status,
            "params": run.data.params,
            "tags": run.data.tags,
            "metrics": points,
            "inputs": [
                [input.dataset.name, input.dataset.digest, {tag.key: tag.value for tag in input.tags}]
                for input in run.inputs.dataset_inputs
            ],
            "artifacts": [artifact.path for artifact in client.list_artifacts(id)],
            "manifest": mlflow.artifacts.load_text(f"runs:/{id}/manifest.intoto.jsonl"),
        }
    )
print(json.dumps(found))
