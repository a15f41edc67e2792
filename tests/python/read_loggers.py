"""Reads what a run's loggers wrote, with the packages that it is for, and prints it as JSON."""

import glob
import json
import subprocess
import sys
import os

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

run = sys.argv[1]
found = {}
if os.path.isdir(f"{run}/logs/tensorboard"):
    events = EventAccumulator(f"{run}/logs/tensorboard", size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    found["scalars"] = [[point.step, tag, point.value] for tag in tags["scalars"] for point in events.Scalars(tag)]
    found["times"] = [point.wall_time for tag in tags["scalars"] for point in events.Scalars(tag)]
    found["plugin"] = events.SummaryMetadata("config/text_summary").plugin_data.plugin_name
    found["text"] = events.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
if os.path.isdir(f"{run}/logs/wandb"):
    (file,) = glob.glob(f"{run}/logs/wandb/offline-run-*/run-*.wandb")
    wandb = os.path.join(os.path.dirname(sys.executable), "wandb")

    def inspected(*flags):
        return subprocess.run([wandb, "leet", "inspect", "--json", *flags, file], check=True, capture_output=True).stdout

    records = [json.loads(line) for line in inspected().splitlines()]
    found["records"] = [record["type"] for record in records]
    history = [record["history"] for record in records if record["type"] == "history"]
    found["history"] = [[row["step"]["num"], name, value] for row in history for name, value in row["item"].items()]
    found["wandb"] = json.loads(inspected("--summary"))
print(json.dumps(found))
