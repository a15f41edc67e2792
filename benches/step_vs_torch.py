"""The training step of tests/network.rs in PyTorch: prints its best time in microseconds.

Usage: step_vs_torch.py THREADS [DEVICE]
"""

import os
import sys
import time

import torch
from torch import nn

torch.set_num_threads(int(sys.argv[1]))
device = torch.device(sys.argv[2] if len(sys.argv) > 2 else "cpu")
if device.type == "cuda":
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # which its deterministic products ask for
torch.use_deterministic_algorithms(True)
torch.manual_seed(7)
BATCH, STEPS = 64, 30


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.gelu = nn.GELU()
        self.second = nn.Conv2d(16, 32, 3, padding=1, stride=2)
        self.attention = nn.MultiheadAttention(32, 4, dropout=0.1, batch_first=True)
        self.head = nn.Linear(32, 10)

    def forward(self, images):
        hidden = self.gelu(self.second(self.gelu(self.norm(self.first(images)))))
        tokens = hidden.flatten(2).transpose(1, 2)
        attended, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        return self.head(attended.mean(1))


model = Network().to(device)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-5)
images, classes = torch.randn(BATCH, 3, 16, 16).to(device), torch.randint(10, (BATCH,)).to(device)
best = float("inf")
for _ in range(STEPS):
    start = time.perf_counter()
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(images), classes).backward()
    optimizer.step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    best = min(best, time.perf_counter() - start)
print(f"{best * 1e6:.1f}")
