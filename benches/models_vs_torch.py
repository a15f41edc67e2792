"""The training steps of benches/models in PyTorch: reads names of models, prints each with its best time in microseconds.

Usage: models_vs_torch.py THREADS < names
"""

import math
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(int(sys.argv[1]))
torch.use_deterministic_algorithms(True)
DURATION, STEPS = 1.5, 30


def classes(*shape, count):
    return torch.randint(count, shape)


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32)
        self.second, self.second_norm = nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64)
        self.head = nn.Linear(64 * 8 * 8, 10)
        self.inputs = torch.randn(32, 3, 32, 32), classes(32, count=10)

    def loss(self, images, labels):
        x = F.max_pool2d(F.relu(self.first_norm(self.first(images))), 2)
        x = F.max_pool2d(F.relu(self.second_norm(self.second(x))), 2)
        return F.cross_entropy(self.head(x.flatten(1)), labels)


def encoder(width, inner, heads, norm_first):
    layer = nn.TransformerEncoderLayer(width, heads, inner, 0.1, "gelu", batch_first=True, norm_first=norm_first)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.head = encoder(128, 256, 4, False), nn.Linear(128, 10)
        self.inputs = torch.randn(16, 64, 128), classes(16, count=10)

    def loss(self, tokens, labels):
        return F.cross_entropy(self.head(self.encoder(tokens).mean(1)), labels)


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.gru = nn.LSTM(64, 128, batch_first=True), nn.GRU(128, 128, batch_first=True)
        self.head = nn.Linear(128, 10)
        self.inputs = torch.randn(32, 32, 64), classes(32, count=10)

    def loss(self, series, labels):
        hidden, _ = self.gru(self.lstm(series)[0])
        return F.cross_entropy(self.head(hidden.mean(1)), labels)


class Unet(nn.Module):
    def __init__(self):
        super().__init__()
        self.before, self.down = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1, stride=2)
        self.middle, self.up = nn.Conv2d(32, 32, 3, padding=1), nn.ConvTranspose2d(32, 16, 2, stride=2)
        self.after, self.head = nn.Conv2d(32, 16, 3, padding=1), nn.Conv2d(16, 1, 1)
        self.inputs = torch.randn(8, 1, 64, 64), torch.randn(8, 1, 64, 64)

    def loss(self, images, targets):
        before = F.relu(self.before(images))
        low = F.relu(self.middle(F.relu(self.down(before))))
        both = torch.cat([before, F.relu(self.up(low))], 1)
        return (self.head(F.relu(self.after(both))) - targets).square().mean()


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(32, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32)
        self.second, self.second_norm = nn.Conv2d(32, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32)

    def forward(self, x):
        return F.relu(self.second_norm(self.second(F.relu(self.first_norm(self.first(x))))) + x)


class Resnet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, padding=1, bias=False)
        self.blocks, self.head = nn.Sequential(Block(), Block(), Block()), nn.Linear(32, 10)
        self.inputs = torch.randn(16, 3, 32, 32), classes(16, count=10)

    def loss(self, images, labels):
        return F.cross_entropy(self.head(self.blocks(F.relu(self.stem(images))).mean((2, 3))), labels)


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches, self.places = nn.Conv2d(3, 96, 4, stride=4), nn.Parameter(torch.randn(1, 64, 96))
        self.encoder, self.head = encoder(96, 192, 6, True), nn.Linear(96, 10)
        self.inputs = torch.randn(16, 3, 32, 32), classes(16, count=10)

    def loss(self, images, labels):
        tokens = self.patches(images).flatten(2).transpose(1, 2) + self.places
        return F.cross_entropy(self.head(self.encoder(tokens).mean(1)), labels)


class Scan(nn.Module):
    def __init__(self):
        super().__init__()
        self.decay, self.input, self.gate = (nn.Linear(64, 64) for _ in range(3))
        self.head = nn.Linear(64, 10)
        self.inputs = torch.randn(32, 128, 64), classes(32, count=10)

    def loss(self, series, labels):
        kept = (torch.sigmoid(self.decay(series)) * 0.1 + 0.9).log().cumsum(1)
        state = (self.input(series) * (-kept).exp()).cumsum(1) * kept.exp()
        return F.cross_entropy(self.head((state * F.silu(self.gate(series))).mean(1)), labels)


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode, self.mean, self.log_variance = nn.Linear(784, 256), nn.Linear(256, 32), nn.Linear(256, 32)
        self.decode, self.head = nn.Linear(32, 256), nn.Linear(256, 784)
        self.inputs = (torch.randn(256, 784),)

    def loss(self, x):
        hidden = F.relu(self.encode(x))
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        code = mean + torch.randn_like(mean) * (log_variance * 0.5).exp()
        out = torch.sigmoid(self.head(F.relu(self.decode(code))))
        divergence = (log_variance + 1.0 - mean.square() - log_variance.exp()).mean() * -0.5
        return (out - x).square().mean() + divergence


class GptBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention_norm, self.mlp_norm = nn.LayerNorm(128), nn.LayerNorm(128)
        self.query_key_value, self.output = nn.Linear(128, 384), nn.Linear(128, 128)
        self.up, self.down = nn.Linear(128, 512), nn.Linear(512, 128)

    def forward(self, x, rotate):
        batch, length, width = x.shape
        heads = lambda x: x.reshape(batch, length, 4, width // 4).transpose(1, 2)
        query, key, value = map(heads, self.query_key_value(self.attention_norm(x)).chunk(3, 2))
        attended = F.scaled_dot_product_attention(rotate(query), rotate(key), value, is_causal=True)
        x = x + self.output(attended.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(F.gelu(self.up(self.mlp_norm(x))))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.blocks = nn.Embedding(256, 128), nn.ModuleList([GptBlock(), GptBlock()])
        self.norm, self.head = nn.LayerNorm(128), nn.Linear(128, 256)
        angles = torch.arange(64)[:, None] * 10000 ** (-torch.arange(0, 32, 2) / 32)
        self.cos, self.sin = angles.cos(), angles.sin()
        self.inputs = classes(8, 64, count=256), classes(8 * 64, count=256)

    def rotate(self, x):
        even, odd = x[..., ::2], x[..., 1::2]
        pair = even * self.cos - odd * self.sin, even * self.sin + odd * self.cos
        return torch.stack(pair, -1).flatten(-2)

    def loss(self, tokens, following):
        x = self.tokens(tokens)
        for block in self.blocks:
            x = block(x, self.rotate)
        return F.cross_entropy(self.head(self.norm(x)).flatten(0, 1), following)


class Graph(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 10)
        edges = classes(16384, count=2048), classes(16384, count=2048)
        self.inputs = torch.randn(2048, 64), *edges, classes(2048, count=10)

    def loss(self, nodes, sources, targets, labels):
        def passed(x):
            return x + torch.zeros_like(x).index_add(0, targets, x.index_select(0, sources)) / 8.0

        x = passed(F.relu(self.first(nodes)))
        return F.cross_entropy(self.head(passed(F.relu(self.second(x)))), labels)


class Conv3d(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv3d(1, 16, 3, padding=1), nn.Conv3d(16, 32, 3, padding=1, stride=2)
        self.head = nn.Linear(32, 10)
        self.inputs = torch.randn(4, 1, 16, 32, 32), classes(4, count=10)

    def loss(self, volumes, labels):
        return F.cross_entropy(self.head(F.relu(self.second(F.relu(self.first(volumes)))).mean((2, 3, 4))), labels)


class Spatial(nn.Module):
    def __init__(self):
        super().__init__()
        self.look, self.turn = nn.Conv2d(3, 16, 3, padding=1, stride=2), nn.Linear(16, 6)
        self.conv, self.head = nn.Conv2d(3, 32, 3, padding=1, stride=2), nn.Linear(32, 10)
        self.inputs = torch.randn(32, 3, 32, 32), classes(32, count=10)

    def loss(self, images, labels):
        turn = self.turn(F.relu(self.look(images)).mean((2, 3))) * 0.1
        turn = turn.reshape(-1, 2, 3) + torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
        turned = F.grid_sample(images, F.affine_grid(turn, images.shape, align_corners=False), align_corners=False)
        return F.cross_entropy(self.head(F.relu(self.conv(turned)).mean((2, 3))), labels)


for name in sys.stdin.read().split():
    torch.manual_seed(7)
    model = globals()[name.capitalize()]()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-5)
    best, begin, steps = math.inf, time.perf_counter(), 0
    while steps < STEPS or time.perf_counter() - begin < DURATION:
        start = time.perf_counter()
        optimizer.zero_grad()
        model.loss(*model.inputs).backward()
        optimizer.step()
        best, steps = min(best, time.perf_counter() - start), steps + 1
    print(f"{name} {best * 1e6:.1f}")
