"""Image quality: PSNR and SSIM against reference frames, and sharpness."""

import numpy as np

PEAK = 255.0
WINDOW_RADIUS, WINDOW_STD = 5, 1.5  # pixels, of SSIM's Gaussian window
K1, K2 = 0.01, 0.03  # of SSIM
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def psnr(frames: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB over all frames together; infinite for equal frames.

    The squared error is averaged before the logarithm, because a single frame may have an error of zero.

    Args:
        frames: (..., H, W, 3), uint8.
        truth: the same shape.
    """
    error = float(np.mean((frames.astype(np.float64) - truth) ** 2))
    return float(10 * np.log10(PEAK**2 / error)) if error else float("inf")


def ssim(frames: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Structural similarity of the luma of each frame (Wang et al. 2004); 1 for equal frames.

    Means, variances and covariances use a Gaussian window of 11 x 11 pixels, without padding.

    Args:
        frames: (..., H, W, 3), uint8, H and W at least 11.
        truth: the same shape.

    Returns:
        (...), float64, at most 1.
    """
    x, y = luma(frames), luma(truth)
    mean_x, mean_y = _window(x), _window(y)
    var_x, var_y = _window(x * x) - mean_x**2, _window(y * y) - mean_y**2
    covariance = _window(x * y) - mean_x * mean_y
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    numerator = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return (numerator / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean((-2, -1))


def sharpness(frames: np.ndarray) -> np.ndarray:
    """Mean gradient magnitude of the luma, in levels per pixel; blur decreases it, noise increases it.

    Args:
        frames: (..., H, W, 3), uint8.

    Returns:
        (...), float64.
    """
    gray = luma(frames)
    horizontal = np.diff(gray, axis=-1)[..., :-1, :]
    vertical = np.diff(gray, axis=-2)[..., :, :-1]
    return np.hypot(horizontal, vertical).mean((-2, -1))


def luma(frames: np.ndarray) -> np.ndarray:
    """Luma of RGB pixels: (..., 3), uint8, to (...), float64 in [0, 255]."""
    return frames @ LUMA


def _window(x: np.ndarray) -> np.ndarray:
    """Gaussian-weighted means without padding: (..., H, W) to (..., H - 10, W - 10)."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(x, WINDOW_STD, truncate=WINDOW_RADIUS / WINDOW_STD, axes=(-2, -1))
    return smooth[..., WINDOW_RADIUS:-WINDOW_RADIUS, WINDOW_RADIUS:-WINDOW_RADIUS]
