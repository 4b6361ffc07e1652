"""How near frames are to the true ones, and how sharp they are."""

import numpy as np

WHITE = 255.0
RADIUS, DEVIATION = 5, 1.5  # pixels, of SSIM's window
K1, K2 = 0.01, 0.03
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def psnr(frames: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio of all frames together, dB; infinite when they are equal.

    Of the mean squared error over all of them: frames that happen to be equal have no ratio of their own.

    Args:
        frames: (..., H, W, 3), uint8.
        truth: the same shape.
    """
    error = float(np.mean((frames.astype(np.float64) - truth) ** 2))
    return float(10 * np.log10(WHITE**2 / error)) if error else float("inf")


def ssim(frames: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Structural similarity of each frame's brightness (Wang et al. 2004): 1 for equal frames.

    Means, variances and covariance are of a Gaussian window of 11 x 11 pixels that lies wholly in the frame.

    Args:
        frames: (..., H, W, 3), uint8, 11 pixels or more a side.
        truth: the same shape.

    Returns:
        (...), float64, at most 1.
    """
    x, y = luma(frames), luma(truth)
    mean_x, mean_y = _window(x), _window(y)
    var_x, var_y = _window(x * x) - mean_x**2, _window(y * y) - mean_y**2
    covariance = _window(x * y) - mean_x * mean_y
    c1, c2 = (K1 * WHITE) ** 2, (K2 * WHITE) ** 2
    likeness = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return (likeness / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean((-2, -1))


def sharpness(frames: np.ndarray) -> np.ndarray:
    """How steep brightness is: the mean length of its gradient, levels a pixel.

    Blur lowers it, noise raises it.

    Args:
        frames: (..., H, W, 3), uint8.

    Returns:
        (...), float64.
    """
    grey = luma(frames)
    across = np.diff(grey, axis=-1)[..., :-1, :]
    down = np.diff(grey, axis=-2)[..., :, :-1]
    return np.hypot(across, down).mean((-2, -1))


def luma(frames: np.ndarray) -> np.ndarray:
    """Brightness: (..., 3), uint8, to (...), float64 from 0 to 255."""
    return frames @ LUMA


def _window(x: np.ndarray) -> np.ndarray:
    """Gaussian means where the window lies in the frame: (..., H, W) to (..., H - 10, W - 10)."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(x, DEVIATION, truncate=RADIUS / DEVIATION, axes=(-2, -1))
    return smooth[..., RADIUS:-RADIUS, RADIUS:-RADIUS]
