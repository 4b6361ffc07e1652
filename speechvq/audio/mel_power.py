"""Power in mel bands for metrics and baselines.

The bands are those of librosa (Slaney's mel scale), so that numbers can be compared with other programs.
Unlike `audio.mel`, this needs no PyTorch, whose import takes seconds.
"""

from functools import lru_cache

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE

WINDOW, FFT = 400, 512  # samples: 25 ms, zero-padded
BANDS = 40

_BLOCK_FRAMES = 10_000  # analyzed at once; bounds the memory of an hour of audio


def mel_power(wave: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Power in 40 mel bands of windows of 25 ms.

    Args:
        wave: (T,), float, 16 kHz; taken as zero beyond its ends.
        centers: (F,), int, the samples in the middle of the windows, ascending.

    Returns:
        (F, 40), float32.
    """
    from scipy.fft import rfft

    if not len(centers):
        return np.empty((0, BANDS), np.float32)
    after = max(int(centers[-1]) - len(wave), 0) + WINDOW // 2
    padded = np.pad(np.asarray(wave, np.float32), (WINDOW // 2, after))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)
    hann, filters = _librosa_analysis()
    starts = range(0, len(centers), _BLOCK_FRAMES)
    blocks = (rfft(windows[centers[i : i + _BLOCK_FRAMES]] * hann, FFT) for i in starts)
    return np.concatenate([np.square(np.abs(spectra)) @ filters for spectra in blocks])


@lru_cache(maxsize=1)
def _librosa_analysis() -> tuple[np.ndarray, np.ndarray]:
    """Window (400,) and mel filters (257, 40) of `mel_power`, as in librosa."""
    from librosa.filters import mel
    from scipy.signal import get_window

    hann = get_window("hann", WINDOW).astype(np.float32)
    return hann, mel(sr=SAMPLE_RATE, n_fft=FFT, n_mels=BANDS).T
