"""Write a model by filling other numbers into one that is there: the graph stays, and no torch is needed.

The aggregator makes releases, and it has no torch. Every array of the network stands in `model.onnx` as it is
in `weights.safetensors`, so that the places of the numbers are found by the numbers themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load_file, save

from cryofed.disk.whole import write_whole
from cryofed.errors import FederationError, InputError, MissingPackageError
from cryofed.learning.vector import Layout, Vector, vector_hash
from cryofed.scoring.calibration import Calibration

if TYPE_CHECKING:
    from onnx import ModelProto


def write_like(
    folder: Path, model: Path, vector: Vector, calibration: Calibration, card: Mapping[str, Any]
) -> None:
    """Write the three files of a model: the graph of the one in `model`, these numbers, this calibration.

    Args:
        folder: a new one.
        model: folder of a release, or of the model that CryoFed ships.
        vector: in that model's layout.
        calibration: of the new model.
        card: what else its card says.

    Raises:
        FederationError: the places of the numbers are not found, or the vector is not of that layout.
        MissingPackageError: `onnx` is not installed.
    """
    layout, places, proto = places_in(model)
    if len(vector) != layout.size:
        raise FederationError(f"{model}: holds {layout.size} numbers, the new model has {len(vector)}")
    arrays = {name: np.ascontiguousarray(array) for name, array in layout.split(vector).items()}
    for name, place in places.items():
        proto.graph.initializer[place].raw_data = arrays[name].astype("<f4").tobytes()
    notes = {"cryofed.calibration": calibration.to_json(), "cryofed.vector": vector_hash(vector)}
    for prop in proto.metadata_props:
        prop.value = notes.get(prop.key, prop.value)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "model.onnx", proto.SerializeToString())
    write_whole(folder / "weights.safetensors", save(arrays, metadata={"calibration": calibration.to_json()}))
    facts = {
        "vector_sha256": vector_hash(vector),
        "layout_sha256": layout.hash,
        "parameters": layout.size,
        **card,
    }
    write_whole(folder / "card.json", (json.dumps(facts, indent=2) + "\n").encode())


def places_in(model: Path) -> tuple[Layout, dict[str, int], ModelProto]:
    """A model's layout, the place of each of its arrays among the graph's constants, and the graph.

    The layout is in a release's card. That of the shipped model is the order of its arrays in the graph, and
    its hash is in the card.

    Raises:
        InputError: the files are missing or damaged.
        FederationError: an array does not stand in the graph, or the layout is not the card's.
    """
    try:
        import onnx
    except ImportError:
        raise MissingPackageError("onnx", "flare") from None
    try:
        card = json.loads((model / "card.json").read_text())
        arrays = load_file(model / "weights.safetensors")
        proto = onnx.load(model / "model.onnx")
    except Exception as error:  # each of the three libraries raises types of its own
        raise InputError(model, "model", type(error).__name__, "copy it again") from None
    names = [str(name) for name, _ in card["layout"]] if "layout" in card else sorted(arrays)
    places = _places(names, arrays, proto)
    if "layout" not in card:
        names.sort(key=places.__getitem__)
    layout = Layout(tuple(names), tuple(tuple(arrays[name].shape) for name in names))
    if layout.hash != card["layout_sha256"]:
        raise FederationError(f"{model}: its arrays do not stand in the graph in the order of its layout")
    return layout, places, proto


def _places(names: list[str], arrays: Mapping[str, Any], proto: ModelProto) -> dict[str, int]:
    """By bytes; of equal arrays (an untrained model's) the first name gets the first place."""
    free: dict[bytes, list[int]] = {}
    for place, constant in enumerate(proto.graph.initializer):
        free.setdefault(bytes(constant.raw_data), []).append(place)
    place_of: dict[str, int] = {}
    for name in names:
        places = free.get(np.ascontiguousarray(arrays[name], "<f4").tobytes(), [])
        fits = [place for place in places if _shape(proto, place) == _bare(arrays[name].shape)]
        if not fits:
            raise FederationError(f"{name} is not found in the graph; this release is made where torch is")
        place_of[name] = fits[0]
        places.remove(fits[0])
    return place_of


def _shape(proto: ModelProto, place: int) -> tuple[int, ...]:
    return _bare(tuple(proto.graph.initializer[place].dims))


def _bare(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Without ones at the end, by which the graph spreads a vector over pictures."""
    kept = list(shape)
    while len(kept) > 1 and kept[-1] == 1:
        kept.pop()
    return tuple(kept)
