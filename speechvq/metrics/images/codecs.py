"""JPEG and WebP at a given number of bits, beside which learned codes are measured."""

import io
from typing import NamedTuple

import numpy as np

CODECS = ("JPEG", "WEBP")  # names of Pillow
MAX_QUALITY = 95  # beyond it JPEG grows without a visible gain


class CodedImage(NamedTuple):
    """An image after a lossy codec."""

    pixels: np.ndarray  # (H, W, 3), uint8
    bits: int  # of the whole file, header included
    quality: int  # setting of the codec, 0 to MAX_QUALITY


def code_at(pixels: np.ndarray, codec: str, bits: float) -> CodedImage:
    """Code an image at the highest quality whose file has at most so many bits.

    If even the lowest quality needs more, it is that one, so that `bits` of the result tells. JPEG has its
    Huffman tables optimized and colors at half the resolution; WebP takes its slowest search.

    Args:
        pixels: (H, W, 3), uint8.
        codec: one of CODECS.
        bits: at most so many.
    """
    low, high, best = 0, MAX_QUALITY, _code(pixels, codec, 0)
    while low < high:
        middle = (low + high + 1) // 2
        coded = _code(pixels, codec, middle)
        if coded.bits <= bits:
            low, best = middle, coded
        else:
            high = middle - 1
    return best


def _code(pixels: np.ndarray, codec: str, quality: int) -> CodedImage:
    from PIL import Image

    settings = {"optimize": True, "subsampling": 2} if codec == "JPEG" else {"method": 6}
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, codec, quality=quality, **settings)
    with Image.open(file, formats=(codec,)) as image:
        return CodedImage(np.asarray(image.convert("RGB")), 8 * file.getbuffer().nbytes, quality)
