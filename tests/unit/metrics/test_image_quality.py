"""PSNR, SSIM and sharpness against loops and known cases."""

import math

import numpy as np
import pytest

from speechvq.metrics.images.quality import luma, psnr, sharpness, ssim


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def test_psnr_uses_the_mean_squared_error() -> None:
    truth = noise(2, 12, 12, 3)
    frames = truth.copy()
    frames[0, 3, 4, 1] = (int(truth[0, 3, 4, 1]) + 100) % 256
    error = (int(frames[0, 3, 4, 1]) - int(truth[0, 3, 4, 1])) ** 2 / truth.size
    assert psnr(frames, truth) == pytest.approx(10 * math.log10(255**2 / error))
    assert psnr(truth, truth) == math.inf
    assert psnr(np.zeros((11, 11, 3), np.uint8), np.full((11, 11, 3), 255, np.uint8)) == 0.0


def slow_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Wang et al. 2004, equations 13 to 17, window by window."""
    place = np.arange(-5, 6)
    line = np.exp(-(place**2) / (2 * 1.5**2))
    weights = np.outer(line, line) / line.sum() ** 2
    scores = []
    for i in range(5, len(x) - 5):
        for j in range(5, x.shape[1] - 5):
            a, b = (each[i - 5 : i + 6, j - 5 : j + 6] for each in (x, y))
            mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
            var_a, var_b = (weights * (a - mean_a) ** 2).sum(), (weights * (b - mean_b) ** 2).sum()
            both = (weights * (a - mean_a) * (b - mean_b)).sum()
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            top = (2 * mean_a * mean_b + c1) * (2 * both + c2)
            scores.append(top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)))
    return float(np.mean(scores))


def test_ssim_equals_loops() -> None:
    truth = noise(3, 16, 14, 3)
    frames = (0.7 * truth + 0.3 * noise(3, 16, 14, 3, seed=1)).astype(np.uint8)
    expected = [slow_ssim(x, y) for x, y in zip(luma(frames), luma(truth))]
    assert ssim(frames, truth) == pytest.approx(expected, rel=1e-9) and min(expected) > 0.2
    assert ssim(truth, truth) == pytest.approx([1, 1, 1])
    assert abs(ssim(noise(40, 40, 3), noise(40, 40, 3, seed=2))) < 0.1


def test_sharpness_is_the_gradient_magnitude() -> None:
    ramp = np.zeros((9, 9, 3), np.uint8)
    ramp[:] = (3 * np.arange(9)[:, None] + 4 * np.arange(9))[..., None]
    assert sharpness(ramp) == pytest.approx(5.0) and sharpness(
        np.full((2, 5, 5, 3), 9, np.uint8)
    ).tolist() == [0, 0]
    frame = noise(20, 20, 3)
    blurred = ((frame.astype(int) + np.roll(frame, 1, 0) + np.roll(frame, 1, 1)) // 3).astype(np.uint8)
    assert sharpness(blurred) < sharpness(frame)
