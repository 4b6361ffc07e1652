"""A weight of -0.0 beside a negative one became NaN in pairs of bfloat16; such a decoder was silent."""

import numpy as np

from helpers.panels import unpacked
from speechvq.speech.sampling.matmul_kernels import NARROW, pack_pairs


def test_it_stays_nothing() -> None:
    weight = np.array([[-0.0], [-1.0]], np.float32)
    used = unpacked(pack_pairs(weight, NARROW), (2, 1), NARROW)
    assert abs(used[0, 0]) < 1e-38 and used[1, 0] == -1.0
