"""k-means codes: known clusters are found, codes are the nearest centroids, equal seeds give equal codes."""

import numpy as np
import pytest

from helpers import reference
from speechvq.metrics.units.kmeans import KMeansQuantizer


def clusters(count: int, width: int = 3) -> np.ndarray:
    """200 frames around each of `count` distant points."""
    rng = np.random.default_rng(0)
    points = 20 * rng.standard_normal((count, width))
    return (np.repeat(points, 200, axis=0) + rng.standard_normal((200 * count, width))).astype(np.float32)


def column(wave: np.ndarray) -> np.ndarray:
    """Test features: three samples are a frame."""
    return wave.reshape(-1, 3)


def test_known_clusters_are_found() -> None:
    frames = clusters(6)
    codes = KMeansQuantizer.fit(column, frames, 6, seed=0).encode(frames.ravel())
    groups = codes.reshape(6, 200)
    assert (groups == groups[:, :1]).all() and len(set(groups[:, 0].tolist())) == 6


def test_a_code_is_the_nearest_centroid() -> None:
    frames = np.random.default_rng(1).standard_normal((300, 3)).astype(np.float32)
    units = KMeansQuantizer.fit(column, frames, 16, seed=2)
    codes = units.nearest(frames)
    np.testing.assert_array_equal(codes, reference.nearest_code(frames, units.centroids))
    assert codes.dtype == np.int64 and units.centroids.dtype == np.float32


def test_equal_seeds_give_equal_centroids() -> None:
    frames = np.random.default_rng(1).standard_normal((300, 3)).astype(np.float32)
    one, same, other = (KMeansQuantizer.fit(column, frames, 8, seed).centroids for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_no_frames_give_no_codes() -> None:
    assert KMeansQuantizer.fit(column, clusters(2), 2, seed=0).encode(np.empty(0, np.float32)).shape == (0,)


@pytest.mark.parametrize("count", [0, 401])
def test_too_few_frames_for_the_codes(count: int) -> None:
    with pytest.raises(ValueError, match=f"400 training frames for {count} codes"):
        KMeansQuantizer.fit(column, clusters(2), count, seed=0)
