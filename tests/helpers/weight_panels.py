"""Reference code for the weight panels of the sampler: unpacking, and the rounding error of bfloat16."""

import struct

import numpy as np


def unpack_panels(panels: np.ndarray, shape: tuple[int, int], width: int) -> np.ndarray:
    """The (I, O) float64 matrix of packed panels, with the weights as the kernels use them."""
    inputs, outputs = shape
    paired = panels.dtype == np.uint32
    rows = inputs // 2 if paired else inputs
    matrix = np.empty(shape)
    for row in range(rows):
        for output in range(outputs):
            entry = panels[(output // width * rows + row) * width + output % width]
            if paired:
                matrix[2 * row, output] = _float(int(entry))
                matrix[2 * row + 1, output] = _float(int(entry) << 16 & 0xFFFFFFFF)
            else:
                matrix[row, output] = entry
    return matrix


def _float(bits: int) -> float:
    """The float32 number with the given 32 bits."""
    return float(struct.unpack("<f", struct.pack("<I", bits))[0])


def half_step(weight: np.ndarray) -> np.ndarray:
    """Half the spacing of bfloat16 numbers at `weight`; the mantissa has 7 bits after the leading one."""
    _, exponent = np.frexp(weight)  # the leading one counts 2^(exponent - 1)
    return np.ldexp(1.0, exponent - 1 - 7 - 1)
