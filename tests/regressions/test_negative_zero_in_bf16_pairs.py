"""In pairs of bfloat16, a weight of -0.0 paired with a negative weight became NaN; the decoder was silent."""

import numpy as np

from helpers.weight_panels import unpack_panels
from speechvq.speech.sampling.matmul_kernels import NARROW, pack_pairs


def test_negative_zero_stays_near_zero() -> None:
    weight = np.array([[-0.0], [-1.0]], np.float32)
    used = unpack_panels(pack_pairs(weight, NARROW), (2, 1), NARROW)
    assert abs(used[0, 0]) < 1e-38 and used[1, 0] == -1.0
