"""Logistic regression by stochastic gradient descent: a training program as anybody writes one.

It knows nothing of spectramind: a config in YAML goes in, a folder of results comes out.
"""

import argparse
import csv
import json
import os

import numpy as np
import yaml

parser = argparse.ArgumentParser()
parser.add_argument("--config", required=True)
parser.add_argument("--out", required=True)
arguments = parser.parse_args()
with open(arguments.config) as file:
    config = yaml.safe_load(file)

table = np.loadtxt(config["data"], delimiter=",", skiprows=1)
features, labels = table[:, :-1], table[:, -1]
rng = np.random.default_rng(config["seed"])
order = rng.permutation(len(labels))
held_out, train = order[: len(order) // 4], order[len(order) // 4 :]

weights = rng.normal(scale=0.1, size=features.shape[1])
bias = np.zeros(1)


def predict(rows):
    return 1.0 / (1.0 + np.exp(-(features[rows] @ weights + bias)))


history = []
for epoch in range(config["model"]["epochs"]):
    for batch in np.array_split(rng.permutation(train), 8):
        error = predict(batch) - labels[batch]
        weights -= config["model"]["rate"] * features[batch].T @ error / len(batch)
        bias -= config["model"]["rate"] * error.mean()
    p = np.clip(predict(held_out), 1e-12, 1 - 1e-12)
    loss = -np.mean(labels[held_out] * np.log(p) + (1 - labels[held_out]) * np.log(1 - p))
    history.append((epoch, loss))
    print(f"epoch {epoch}: loss {loss:.6f}")

np.savez(os.path.join(arguments.out, "weights.npz"), weights=weights, bias=bias)
with open(os.path.join(arguments.out, "history.csv"), "w", newline="") as file:
    csv.writer(file).writerows([("epoch", "loss"), *history])
with open(os.path.join(arguments.out, "metrics.json"), "w") as file:
    accuracy = float(np.mean((predict(held_out) > 0.5) == labels[held_out]))
    json.dump({"held_out": {"loss": float(history[-1][1]), "accuracy": accuracy}}, file)
