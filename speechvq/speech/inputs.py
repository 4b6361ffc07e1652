"""Checks of what callers of the Python interface pass: waveforms, code strings and speaker names.

An array keeps its leading axes: (T,) gives (N,), and (B, T) gives (B, N). A list gives a list, one result per
    item.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from speechvq.audio.amplitude import correct
from speechvq.audio.waveform import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, SAMPLE_RATE, resample

Array: TypeAlias = np.ndarray | Tensor
INT16_SCALE = np.float32(1 / 32_768)
MAX_CHANNELS = 8  # an array with more rows than this and at most this many columns has its channels last


class Inputs(NamedTuple):
    """Utterances to process, and the layout in which they were passed."""

    items: list[np.ndarray]
    layout: Literal["single", "array", "list"]

    def restore(self, results: list[np.ndarray]) -> Any:
        """One result per item in the layout of the inputs: one array, a stacked array, or a list."""
        if self.layout == "list":
            return results
        return results[0] if self.layout == "single" else np.stack(results)


def as_waveforms(wave: Array | Sequence[Array], sample_rate: float = SAMPLE_RATE) -> Inputs:
    """Waveforms as float32 at 16 kHz.

    Args:
        wave: mono samples, float in [-1, 1] or int16: (T,), (T, 1), (B, T), or a list of (T,), (T, 1) or
            (1, T). A DC offset is removed, see `audio.amplitude`.
        sample_rate: of the samples, Hz; any other rate than 16 kHz is resampled as `read_audio` does.

    Raises:
        ValueError: a shape, type or rate that is not supported, or NaN or infinite samples.
    """
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE or int(sample_rate) != sample_rate:
        raise ValueError(
            f"sample_rate is {sample_rate:g}; pass whole Hz from {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}"
        )
    if not isinstance(wave, (list, tuple)):
        wave = _without_channel_axis(_numpy(wave), "wave")
    inputs = _items(wave, "wave")
    rate, names = int(sample_rate), _names(inputs, "wave")
    waves = [correct(_samples(item, name), rate) for item, name in zip(inputs.items, names)]
    if rate != SAMPLE_RATE:
        waves = [resample(each, rate) for each in waves]
    return inputs._replace(items=waves)


def as_code_strings(codes: Array | Sequence[Array] | Sequence[int]) -> Inputs:
    """Code strings as int64.

    Args:
        codes: (N,), (B, N), a list of (N,), or a list of ints for one string.

    Raises:
        ValueError: a shape or type that is not supported.
    """
    if isinstance(codes, (list, tuple)) and codes and all(isinstance(c, (int, np.integer)) for c in codes):
        codes = np.array(codes)
    inputs = _items(codes, "codes")  # type: ignore[arg-type]
    for item, name in zip(inputs.items, _names(inputs, "codes")):
        if item.ndim != 1:
            raise ValueError(f"{name}: shape is {item.shape}; pass (N,), (B, N) or a list of (N,)")
        if item.size and item.dtype.kind not in "iu":
            raise ValueError(f"{name}: dtype is {item.dtype}; pass integers")
    return inputs._replace(items=[item.astype(np.int64) for item in inputs.items])


def as_speakers(speaker: str | Sequence[str], count: int) -> list[str]:
    """One speaker name per utterance: the same for all, or one for each.

    Raises:
        ValueError: another number of names than of utterances.
    """
    names = [speaker] * count if isinstance(speaker, str) else list(speaker)
    if len(names) != count:
        raise ValueError(f"{len(names)} speakers for {count} utterances; pass one name, or one per utterance")
    return names


def as_contours(f0: Array | Sequence[Array] | None, count: int) -> list[np.ndarray] | None:
    """One F0 contour (F,), float32, per code string, or None.

    Raises:
        ValueError: another number of contours than of code strings, a shape that is not supported, or values
            that are NaN, infinite or negative.
    """
    if f0 is None:
        return None
    inputs = _items(f0, "f0")
    if len(inputs.items) != count:
        raise ValueError(
            f"{len(inputs.items)} F0 contours for {count} code strings; pass one per code string"
        )
    for item, name in zip(inputs.items, _names(inputs, "f0")):
        if item.ndim != 1:
            raise ValueError(f"{name}: shape is {item.shape}; pass (F,) in Hz, one value per 10 ms")
        if item.dtype.kind not in "fiu" or not np.isfinite(item).all() or (item < 0).any():
            raise ValueError(f"{name}: not finite Hz from 0; pass 0 where the speech is unvoiced")
    return [item.astype(np.float32) for item in inputs.items]


def _items(value: Array | Sequence[Array], name: str) -> Inputs:
    """The items of a list, the rows of a (B, ...) array, or the one array (T,)."""
    if isinstance(value, (list, tuple)):
        return Inputs([_numpy(item) for item in value], "list")
    array = _numpy(value)
    if array.ndim == 2 and not len(array):
        raise ValueError(f"{name} has shape {array.shape}; the batch is empty")
    return Inputs(list(array), "array") if array.ndim == 2 else Inputs([array], "single")


def _names(inputs: Inputs, name: str) -> list[str]:
    """How error messages call the items."""
    return [name] if inputs.layout == "single" else [f"{name}[{i}]" for i in range(len(inputs.items))]


def _numpy(value: Any) -> np.ndarray:
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        value = value.float() if value.dtype == torch.bfloat16 else value
    return np.asarray(value)


def _without_channel_axis(wave: np.ndarray, name: str) -> np.ndarray:
    """(T, 1), as libraries for audio files return mono, to (T,); other shapes are unchanged.

    Raises:
        ValueError: (T, channels) with several channels.
    """
    if wave.ndim != 2 or not 0 < wave.shape[1] <= MAX_CHANNELS < len(wave):
        return wave
    if wave.shape[1] > 1:
        raise ValueError(f"{name} has shape {wave.shape}, channels last; mix it down to mono: wave.mean(1)")
    return wave[:, 0]


def _samples(wave: np.ndarray, name: str) -> np.ndarray:
    """Checked samples, (T,), float32."""
    wave = _without_channel_axis(wave, name)
    if wave.ndim == 2 and len(wave) == 1:
        wave = wave[0]
    if wave.dtype != np.int16 and wave.dtype.kind != "f":
        raise ValueError(f"{name}: dtype is {wave.dtype}; pass float samples in [-1, 1], or int16")
    if wave.ndim != 1:
        raise ValueError(f"{name}: shape is {wave.shape}; pass (T,), (B, T) or a list of (T,)")
    with np.errstate(over="ignore"):  # float64 may exceed float32; the infinity is refused below
        samples = wave.astype(np.float32)
    if wave.dtype == np.int16:
        samples *= INT16_SCALE
    if not np.isfinite(samples).all():
        raise ValueError(f"{name}: NaN or infinite samples")
    return samples
