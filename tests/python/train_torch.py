"""A small network in PyTorch: a training program as anybody writes one. The weekly job runs it as the other one is run."""

import argparse
import json
import os

import numpy as np
import torch
import yaml

parser = argparse.ArgumentParser()
parser.add_argument("--config", required=True)
parser.add_argument("--out", required=True)
arguments = parser.parse_args()
with open(arguments.config) as file:
    config = yaml.safe_load(file)

table = np.loadtxt(config["data"], delimiter=",", skiprows=1)
features = torch.tensor(table[:, :-1], dtype=torch.float32)
labels = torch.tensor(table[:, -1:], dtype=torch.float32)
torch.manual_seed(config["seed"])
torch.use_deterministic_algorithms(True)
model = torch.nn.Sequential(torch.nn.Linear(features.shape[1], 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=config["model"]["rate"], momentum=0.9)
for _ in range(config["model"]["epochs"]):
    for batch in torch.randperm(len(labels)).chunk(8):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(features[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

np.savez(
    os.path.join(arguments.out, "weights.npz"),
    **{name: value.numpy() for name, value in model.state_dict().items()},
)
with open(os.path.join(arguments.out, "metrics.json"), "w") as file:
    json.dump({"loss": loss.item()}, file)
