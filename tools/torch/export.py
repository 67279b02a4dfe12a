# SPDX-License-Identifier: MIT
"""Writes tests/models/torch-*.onnx and what PyTorch computes with them: python tools/torch/export.py tests/models.

Needs torch, onnx and onnxscript, which the tests do not: they read the files. Made with torch 2.13.0.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

SAMPLES = 16


class Net(nn.Module):
    """What people export: batch norm, a depthwise layer, a residual sum, a view, dropout, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2))
        self.deep = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.ReLU6(), nn.Conv2d(8, 8, 1))
        self.last = nn.Sequential(nn.Dropout(0.2), nn.Linear(8 * 7 * 7, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        x = nn.functional.avg_pool2d(torch.relu(x + self.deep(x)), 2)
        return self.last(x.view(x.size(0), -1))


def without_traces(path: Path) -> None:
    """Leave out the stack traces that the exporter writes into nodes: they name the files of this machine."""
    model, trace = onnx.load(path), f'File "{Path(__file__).resolve()}"'
    for node in model.graph.node:
        kept = [(entry.key, entry.value) for entry in node.metadata_props if trace not in entry.value]
        del node.metadata_props[:]
        node.metadata_props.extend(onnx.StringStringEntryProto(key=key, value=value) for key, value in kept)
    onnx.save(model, path)


def main(folder: Path) -> None:
    torch.manual_seed(0)
    net = Net()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    net.eval()
    x = torch.zeros(1, 1, 28, 28)
    warnings.simplefilter("ignore")
    torch.onnx.export(net, x, str(folder / "torch-cnn.onnx"), opset_version=17, dynamo=False)
    torch.onnx.export(net, (x,), str(folder / "torch-cnn-dynamo.onnx"), dynamo=True, external_data=False)
    without_traces(folder / "torch-cnn-dynamo.onnx")
    raw = np.random.default_rng(0).integers(0, 256, (SAMPLES, 28, 28, 1)).astype(np.uint8)
    with torch.no_grad():
        real = torch.from_numpy(((raw / 255 - 0.1307) / 0.3081).astype(np.float32).transpose(0, 3, 1, 2).copy())
        np.savez_compressed(folder / "torch-cnn.npz", x=raw, logits=net(real).numpy())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
