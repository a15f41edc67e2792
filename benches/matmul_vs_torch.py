"""Matrix products of PyTorch on the CPU: reads shapes as benches/matmul.rs names them, prints `name microseconds`.

Usage: matmul_vs_torch.py THREADS < names
"""
import re
import sys
import time

import torch

torch.set_num_threads(int(sys.argv[1]))
print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}",
      file=sys.stderr)


def operand(batch, rows, columns, transposed):
    values = (torch.arange(batch * rows * columns) * 7919 % 2003).float() / 1001.5 - 1
    if transposed:
        return values.view(batch, columns, rows).transpose(1, 2)
    return values.view(batch, rows, columns)


with torch.inference_mode():
    for name in sys.stdin.read().split():
        batch, m, k, left, n, right = re.fullmatch(r"(?:(\d+)x)??(\d+)x(\d+)(T?)x(\d+)(T?)", name).groups()
        batch, m, k, n = int(batch or 1), int(m), int(k), int(n)
        a, b = operand(batch, m, k, left), operand(batch, k, n, right)
        if batch == 1:
            a, b = a[0], b[0]
        best_ns = None
        end = time.perf_counter() + 0.35
        while time.perf_counter() < end:
            start_ns = time.perf_counter_ns()
            torch.matmul(a, b)
            taken_ns = time.perf_counter_ns() - start_ns
            best_ns = taken_ns if best_ns is None else min(best_ns, taken_ns)
        print(name, f"{best_ns / 1e3:.1f}")
