"""One flat vector and its layout."""

import numpy as np
import pytest

from cryofed.errors import TrainingError
from cryofed.learning.vector import Layout

LAYOUT = Layout(("a.weight", "b"), ((2, 2), (3,)))


def test_join_and_split_are_inverse() -> None:
    arrays = {"a.weight": np.arange(4, dtype=np.float32).reshape(2, 2), "b": np.ones(3, np.float32)}
    vector = LAYOUT.join(arrays)
    assert vector.tolist() == [0, 1, 2, 3, 1, 1, 1]
    for name, array in LAYOUT.split(vector).items():
        np.testing.assert_array_equal(array, arrays[name])


def test_another_shape_has_another_hash() -> None:
    assert LAYOUT.hash != Layout(("a.weight", "b"), ((4,), (3,))).hash


def test_a_vector_of_another_length_is_refused() -> None:
    with pytest.raises(TrainingError, match="shape"):
        LAYOUT.split(np.zeros(8, np.float32))
