"""JPEG and WebP at a given number of bits."""

import numpy as np
import pytest

from helpers.image_data import pixels_of
from speechvq.metrics.images.codecs import CODECS, MAX_QUALITY, _code, code_at
from speechvq.metrics.images.quality import psnr

IMAGE = pixels_of(1, 64)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("codec", CODECS)
def test_the_highest_quality_within_the_limit_is_found(codec: str) -> None:
    sizes = [_code(IMAGE, codec, quality).bits for quality in range(MAX_QUALITY + 1)]
    limit = float(np.median(sizes))
    coded = code_at(IMAGE, codec, limit)
    assert coded.bits <= limit and sizes[coded.quality] == coded.bits
    assert coded.quality == MAX_QUALITY or sizes[coded.quality + 1] > limit
    assert psnr(coded.pixels, IMAGE) > psnr(code_at(IMAGE, codec, 0).pixels, IMAGE)


@pytest.mark.parametrize("codec", CODECS)
def test_a_limit_below_the_smallest_file_gives_the_lowest_quality(codec: str) -> None:
    coded = code_at(IMAGE, codec, 8)
    assert coded.quality == 0 and coded.bits > 8 and coded.pixels.shape == IMAGE.shape
