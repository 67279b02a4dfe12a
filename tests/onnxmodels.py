# SPDX-License-Identifier: MIT
"""Small ONNX files made on the spot: float ones, and quantized ones with random scales and zero points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed: these tests did not run")


class Net:
    """A graph in the making."""

    def __init__(self, seed: int = 0) -> None:
        self.rng, self.nodes, self.constants = np.random.default_rng(seed), [], []

    def weights(self, *shape: int) -> str:
        return self.constant(self.rng.normal(size=shape) * 0.3)

    def constant(self, values: Any) -> str:
        array = np.asarray(values)
        return self.typed(array.astype(np.float32 if array.dtype.kind == "f" else np.int64))

    def typed(self, array: Any) -> str:
        """A constant of the array's own type."""
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(array), f"c{len(self.constants)}"))
        return self.constants[-1].name

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        name = f"t{len(self.nodes)} */"
        self.nodes.append(onnx.helper.make_node(kind, inputs, [name], f"/{len(self.nodes)}/{kind}", **attributes))
        return name

    def save(self, path: Path, shape: tuple[int, ...], output: str, outputs: int, opset: int = 17) -> None:
        x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", *shape])
        y = onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["batch", outputs])
        self.written(path, x, y, opset)

    def written(self, path: Path, x: Any, y: Any, opset: int = 17) -> None:
        graph = onnx.helper.make_graph(self.nodes, "net", [x], [y], self.constants)
        ids = [onnx.helper.make_opsetid("", opset), onnx.helper.make_opsetid("com.microsoft", 1)]
        onnx.save(onnx.helper.make_model(graph, opset_imports=ids, ir_version=9), path)


class QuantizedNet(Net):
    """A graph of QDQ pairs: `shape` (C, H, W) and what is known of a tensor by its dequantized name.

    dtype: of activations, uint8 or int8. qs: the quantized tensor, its scale and zero point, by the name of its reals.
    """

    def __init__(self, seed: int, dtype: str, shape: tuple[int, ...] | None = None) -> None:
        super().__init__(seed)
        self.dtype = np.dtype(dtype)
        self.reads = onnx.TensorProto.FLOAT
        self.qs: dict[str, tuple[str, str, str, float]] = {}
        self.shape = shape or tuple(int(n) for n in self.rng.choice([1, 2, 3, 4, 6], 3))
        self.x = self.pair("x", self.scale(-6, -3))

    def scale(self, low: float = -6, high: float = -2) -> float:
        return float(np.float32(2.0 ** self.rng.uniform(low, high)))

    def zero(self) -> int:
        low = 0 if self.dtype == np.uint8 else -128
        return low + int(self.rng.choice([0, 0, 128, 255, int(self.rng.integers(256))]))

    def parameters(self, scale: float, zero: int | None = None) -> tuple[str, str]:
        zero = self.zero() if zero is None else zero
        return self.typed(np.float32(scale)), self.typed(np.array(zero, self.dtype))

    def pair(self, name: str, scale: float, zero: int | None = None) -> str:
        """The reals of `name` behind a quantization."""
        constants = self.parameters(scale, zero)
        q = self.node("QuantizeLinear", [name, *constants])
        real = self.node("DequantizeLinear", [q, *constants])
        self.qs[real] = (q, *constants, float(np.float32(scale)))
        return real

    def like(self, name: str, of: str) -> str:
        """The reals of `name` quantized as `of` is."""
        _, scale, zero, step = self.qs[of]
        q = self.node("QuantizeLinear", [name, scale, zero])
        real = self.node("DequantizeLinear", [q, scale, zero])
        self.qs[real] = (q, scale, zero, step)
        return real

    def kernel(self, shape: tuple[int, ...], axis: int, unsigned: bool = False) -> tuple[str, np.ndarray]:
        """(reals of random weights, their scales along `axis`): one for each index, or one for all."""
        filters = shape[axis] if self.rng.integers(2) else 1
        scales = (2.0 ** self.rng.uniform(-10, -6, filters)).astype(np.float32)
        kind = np.uint8 if unsigned else np.int8
        values = self.rng.integers(0 if unsigned else -128, 256 if unsigned else 128, shape).astype(kind)
        zeros = np.full(filters, 128 if unsigned else 0, kind)
        one = filters == 1
        constants = [
            self.typed(values),
            self.typed(scales[0] if one else scales),
            self.typed(zeros[0] if one else zeros),
        ]
        attributes = {} if one else {"axis": axis}
        return self.node("DequantizeLinear", constants, **attributes), scales

    def bias(self, source: str, scales: np.ndarray, filters: int) -> str:
        """The reals of a bias, quantized to int32 or not."""
        units = np.float32(self.qs[source][3]) * scales
        values = self.rng.integers(-20000, 20000, filters).astype(np.int32)
        if self.rng.integers(3) == 0:
            return self.typed((values * units).astype(np.float32))
        one = len(units) == 1
        constants = [self.typed(values), self.typed(units[0] if one else units)]
        return self.node("DequantizeLinear", constants, **({} if one else {"axis": 0}))

    def file(self, path: Path, output: str, opset: int = 17) -> Path:
        """Written, with `output` of any shape."""
        x = onnx.helper.make_tensor_value_info("x", self.reads, [1, *self.shape])
        graph = onnx.helper.make_graph(self.nodes, "net", [x], [], self.constants)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=9)
        known = onnx.shape_inference.infer_shapes(model).graph.value_info
        self.written(path, x, next(info for info in known if info.name == output), opset)
        return path
