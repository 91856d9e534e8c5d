"""Write a trained vector as `model.onnx`, `weights.safetensors` and `card.json`.

The ONNX graph is written node by node: the file then depends on no exporter's version, and a parity test
compares it with torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file, save
from torch import nn

from cryofed.disk.whole import write_whole
from cryofed.errors import InputError
from cryofed.learning.learner import layout, network
from cryofed.learning.vector import Vector, vector_hash
from cryofed.scoring.calibration import Calibration
from cryofed.scoring.features import FEATURES
from cryofed.scoring.network import POOLED, Network, Residual
from cryofed.scoring.prepare import SIDE
from cryofed.scoring.reasons import REASONS

OPSET = 17  # every ONNX Runtime since 1.13 reads it


def write_model(
    folder: Path, vector: Vector, calibration: Calibration, card: Mapping[str, Any] | None = None
) -> None:
    """Write the three files of a model into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "model.onnx", to_onnx(vector, calibration).SerializeToString())
    arrays = {name: np.ascontiguousarray(a) for name, a in layout().split(vector).items()}
    write_whole(folder / "weights.safetensors", save(arrays, metadata={"calibration": calibration.to_json()}))
    facts = {
        "vector_sha256": vector_hash(vector),
        "layout_sha256": layout().hash,
        "parameters": layout().size,
        **(card or {}),
    }
    write_whole(folder / "card.json", (json.dumps(facts, indent=2) + "\n").encode())


def read_vector(path: Path) -> Vector:
    """The vector of a `weights.safetensors` of this version's layout."""
    try:
        arrays = load_file(path)
    except Exception as error:  # safetensors raises its own type for a damaged header
        raise InputError(path, "weights", "not readable as safetensors", "copy the file again") from error
    return layout().join(arrays)


def to_onnx(vector: Vector, calibration: Calibration) -> onnx.ModelProto:
    """The network as an ONNX model, from `images` `(n, 64, 64)` and `features` `(n, F)`.

    It gives `logits` and `pooled`, the numbers that the trunk ends in.
    """
    graph = _Graph()
    graph.network(network(vector).eval())
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "cryofed",
            [_value("images", "n", SIDE, SIDE), _value("features", "n", len(FEATURES))],
            [
                _value("logits", "n", 1 + len(REASONS)),
                _value("pooled", "n", POOLED),
            ],
            graph.constants,
        ),
        producer_name="cryofed",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
    )
    helper.set_model_props(
        model,
        {
            "cryofed.features": ",".join(FEATURES),
            "cryofed.reasons": ",".join(REASONS),
            "cryofed.calibration": calibration.to_json(),
            "cryofed.vector": vector_hash(vector),
        },
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _value(name: str, *shape: str | int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


class _Graph:
    """Collects nodes and constants while the layers are walked through."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, array: np.ndarray[Any, Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, kind: str, inputs: list[str], **settings: Any) -> str:
        out = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [out], **settings))
        return out

    def network(self, model: Network) -> None:
        image = self.node("Unsqueeze", ["images", self.constant(np.array([1]))])
        seen = self.layer(model.trunk, image)
        unknown = self.node("IsNaN", ["features"])
        zero = self.constant(np.float32(0).reshape(1))
        known = self.node("Where", [unknown, zero, "features"])
        flag = self.node("Cast", [unknown], to=TensorProto.FLOAT)
        mean = self.node("ReduceMean", [seen], axes=[2, 3], keepdims=0)
        most = self.node("ReduceMax", [seen], axes=[2, 3], keepdims=0)
        self.nodes.append(helper.make_node("Concat", [mean, most], ["pooled"], axis=1))
        logits = self.layer(model.head, self.node("Concat", ["pooled", known, flag], axis=1))
        self.nodes.append(helper.make_node("Identity", [logits], ["logits"]))

    def layer(self, layer: nn.Module, x: str) -> str:
        if isinstance(layer, nn.Sequential):
            for child in layer:
                x = self.layer(child, x)
            return x
        if isinstance(layer, Residual):
            return self.node("Relu", [self.node("Add", [x, self.layer(layer.body, x)])])
        if isinstance(layer, nn.ReLU):
            return self.node("Relu", [x])
        if isinstance(layer, nn.Linear):
            weight, bias = (self.constant(p.detach().numpy()) for p in (layer.weight, layer.bias))
            return self.node("Gemm", [x, weight, bias], transB=1)
        if isinstance(layer, nn.Conv2d):
            pad_y, pad_x = (int(p) for p in layer.padding)
            weight = self.constant(layer.weight.detach().numpy())
            return self.node("Conv", [x, weight], strides=layer.stride, pads=[pad_y, pad_x, pad_y, pad_x])
        if isinstance(layer, nn.GroupNorm):
            return self.group_norm(layer, x)
        raise TypeError(f"no ONNX is written for {type(layer).__name__}")

    def group_norm(self, layer: nn.GroupNorm, x: str) -> str:
        # As instance normalization of the groups: ONNX has GroupNormalization only from opset 18 on.
        ones = self.constant(np.ones(layer.num_groups, np.float32))
        zeros = self.constant(np.zeros(layer.num_groups, np.float32))
        shape = self.node("Shape", [x])
        grouped = self.node("Reshape", [x, self.constant(np.array([0, layer.num_groups, -1]))])
        scaled = self.node("InstanceNormalization", [grouped, ones, zeros], epsilon=layer.eps)
        back = self.node("Reshape", [scaled, shape])
        weight, bias = (self.constant(p.detach().numpy()[:, None, None]) for p in (layer.weight, layer.bias))
        return self.node("Add", [self.node("Mul", [back, weight]), bias])
