"""The small networks that docs/architectures.md compares: same inputs, outputs and pooling, other trunks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from cryofed.learning.export import OPSET, _Graph
from cryofed.scoring.features import FEATURES
from cryofed.scoring.network import EMBEDDING, Network, Residual
from cryofed.scoring.prepare import SIDE
from cryofed.scoring.reasons import REASONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A shape by name, and in a sentence what is different about it."""

    name: str
    words: str
    make: Callable[[], Network]
    times: int = 1  # the common number of steps


class Plain(nn.Module):
    """What `Residual` is, without the identity beside it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = Residual(width).body

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x))


class Separable(nn.Module):
    """In ConvNeXt's manner: 5 × 5 of each channel alone, then two 1 × 1 over twice the channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False),
            nn.GroupNorm(8, width),
            nn.Conv2d(width, 2 * width, 1),
            nn.ReLU(),
            nn.Conv2d(2 * width, width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class MeanPooled(Network):
    """The shipped trunk, pooled by its mean alone."""

    def __init__(self) -> None:
        super().__init__()
        self.head[0] = nn.Linear(96 + 2 * len(FEATURES), EMBEDDING)

    def both(self, images: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.trunk(images[:, None])
        unknown = torch.isnan(features)
        told = torch.where(unknown, torch.zeros_like(features), features)
        pooled = [seen.mean(dim=(2, 3)), told, unknown.to(told.dtype)]
        hidden = torch.relu(self.head[0](torch.cat(pooled, dim=1)))
        return self.head[2](hidden), hidden


def _down(width: int, out: int, size: int) -> list[nn.Module]:
    """A convolution that halves the picture."""
    convolution = nn.Conv2d(width, out, size, stride=2, padding=size // 2, bias=False)
    return [convolution, nn.GroupNorm(8, out), nn.ReLU()]


def _with_trunk(widths: tuple[int, int, int], middle: list[nn.Module], last: list[nn.Module]) -> Network:
    first, second, third = widths
    network = Network(widths)
    network.trunk = nn.Sequential(
        *_down(1, first, 5), *_down(first, second, 3), *middle, *_down(second, third, 3), *last
    )
    return network


def _plain() -> Network:
    return _with_trunk((16, 32, 96), [Plain(32)], [Plain(96), Plain(96)])


def _deeper() -> Network:
    return _with_trunk((16, 32, 64), [Residual(32) for _ in range(3)], [Residual(64) for _ in range(4)])


def _separable() -> Network:
    return _with_trunk((16, 48, 128), [Separable(48) for _ in range(2)], [Separable(128) for _ in range(4)])


ALL = (
    Architecture(name="shipped", words="16-32-96, one and two residual blocks", make=Network),
    Architecture(name="separable", words="16-48-128, two and four ConvNeXt-like blocks", make=_separable),
    Architecture(name="shipped for longer", words="three times the steps", make=Network, times=3),
    Architecture(name="narrower", words="16-24-48", make=lambda: Network((16, 24, 48))),
    Architecture(name="deeper", words="16-32-64, three and four residual blocks", make=_deeper),
    Architecture(name="wider", words="24-48-144", make=lambda: Network((24, 48, 144))),
    Architecture(name="plain", words="as shipped, no identity beside the blocks", make=_plain),
    Architecture(name="mean only", words="as shipped, pooled by the mean alone", make=MeanPooled),
)


def as_onnx(model: Network) -> bytes:
    """The network as an ONNX model, written as the shipped one is."""
    graph = _ShapeGraph()
    graph.network(model.eval())

    def value(name: str, *shape: str | int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    made = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "architecture",
            [value("images", "n", SIDE, SIDE), value("features", "n", len(FEATURES))],
            [value("logits", "n", 1 + len(REASONS)), value("embedding", "n", EMBEDDING)],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
    )
    result: bytes = made.SerializeToString()
    return result


class _ShapeGraph(_Graph):
    """What the shipped network's writer does not know."""

    def network(self, model: Network) -> None:
        if not isinstance(model, MeanPooled):
            super().network(model)
            return
        image = self.node("Unsqueeze", ["images", self.constant(np.array([1]))])
        mean = self.node("ReduceMean", [self.layer(model.trunk, image)], axes=[2, 3], keepdims=0)
        unknown = self.node("IsNaN", ["features"])
        told = self.node("Where", [unknown, self.constant(np.float32(0).reshape(1)), "features"])
        flag = self.node("Cast", [unknown], to=TensorProto.FLOAT)
        hidden = self.layer(model.head[:2], self.node("Concat", [mean, told, flag], axis=1))
        self.nodes.append(helper.make_node("Identity", [hidden], ["embedding"]))
        self.nodes.append(helper.make_node("Identity", [self.layer(model.head[2], hidden)], ["logits"]))

    def layer(self, layer: nn.Module, x: str) -> str:
        if isinstance(layer, Plain):
            return self.node("Relu", [self.layer(layer.body, x)])
        if isinstance(layer, Separable):
            return self.node("Add", [x, self.layer(layer.body, x)])
        if isinstance(layer, nn.Conv2d) and (layer.groups > 1 or layer.bias is not None):
            pad_y, pad_x = (int(p) for p in layer.padding)
            arrays = [layer.weight] if layer.bias is None else [layer.weight, layer.bias]
            inputs = [x, *(self.constant(np.asarray(a.detach())) for a in arrays)]
            pads = [pad_y, pad_x, pad_y, pad_x]
            return self.node("Conv", inputs, strides=layer.stride, pads=pads, group=layer.groups)
        return super().layer(layer, x)
