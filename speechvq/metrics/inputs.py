"""Inputs of the public metrics: arrays by utterance, with a ValueError for every mistake."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

Utterances = Any  # an array, a sequence of arrays, or a mapping from utterance names to arrays
Segment = tuple[float, float, str]  # start and end in seconds, phone


def named_arrays(
    values: Utterances, what: str, *, dtype: Any = None, max_ndim: int = 1
) -> dict[Hashable, np.ndarray]:
    """Utterances by name; a single array has the name None, and those of a list are numbered."""
    if isinstance(values, Mapping):
        return {name: to_numpy(array, dtype) for name, array in values.items()}
    if isinstance(values, (list, tuple)) and values and all(np.ndim(each) == 0 for each in values):
        return {None: to_numpy(values, dtype)}
    if isinstance(values, (list, tuple)):
        return {index: to_numpy(array, dtype) for index, array in enumerate(values)}
    array = to_numpy(values, dtype)
    if not 1 <= array.ndim <= max_ndim:
        raise ValueError(
            f"{what} of shape {array.shape}; give one array per utterance, or a list or dict of such arrays"
        )
    return {None: array}


def to_numpy(values: Any, dtype: Any = None) -> np.ndarray:
    """An array; torch tensors are detached and copied to the CPU."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values, dtype)


def check_codes(name: Hashable, array: np.ndarray, num_codes: int | None = None) -> np.ndarray:
    """Codes of an utterance as (N,) int64.

    Raises:
        ValueError: they are not (N,) integers from 0, or below `num_codes`.
    """
    if not array.size:
        array = array.astype(np.int64).reshape(-1)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{prefix(name)}codes of shape {array.shape} and {array.dtype}; expected (N,) integers"
        )
    if len(array) and array.min() < 0:
        raise ValueError(f"{prefix(name)}code {array.min()}; codes count from 0, remove padding")
    if len(array) and num_codes is not None and array.max() >= num_codes:
        raise ValueError(f"{prefix(name)}code {array.max()}; expected codes below num_codes, {num_codes}")
    return array.astype(np.int64)


def check_frames(name: Hashable, array: np.ndarray) -> np.ndarray:
    """Codes (N,) or finite features (N, C) of an utterance.

    Raises:
        ValueError: they are neither.
    """
    if array.ndim == 1:
        return check_codes(name, array)
    if array.ndim != 2 or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ValueError(
            f"{prefix(name)}frames of shape {array.shape} and {array.dtype}; expected codes (N,) or finite "
            "features (N, C)"
        )
    return array


def named_alignments(
    alignments: Any, arrays: Mapping[Hashable, np.ndarray]
) -> dict[Hashable, Sequence[Segment]]:
    """Alignments by utterance.

    Raises:
        ValueError: utterances differ from those of the frames.
    """
    if isinstance(alignments, Mapping):
        named = dict(alignments)
    else:
        named = {None: alignments} if list(arrays) == [None] else dict(enumerate(alignments))
    check_same_utterances(arrays, named, "alignments")
    return named


def named_speakers(speakers: Any, arrays: Mapping[Hashable, np.ndarray]) -> dict[Hashable, str]:
    """Speakers by utterance.

    Raises:
        ValueError: utterances differ from those of the frames.
    """
    if isinstance(speakers, str):
        return dict.fromkeys(arrays, speakers)
    named = dict(speakers) if isinstance(speakers, Mapping) else dict(enumerate(speakers))
    check_same_utterances(arrays, named, "speakers")
    return named


def check_same_utterances(arrays: Mapping[Hashable, Any], others: Mapping[Hashable, Any], what: str) -> None:
    """Raise a ValueError that names an utterance which one of them lacks."""
    for name in (name for name in arrays if name not in others):
        raise ValueError(f"{prefix(name)}no {what}; give {what} in the same structure as the codes or frames")
    for name in (name for name in others if name not in arrays):
        raise ValueError(f"{prefix(name)}{what}, but no codes or frames; give both for every utterance")


def prefix(name: Hashable) -> str:
    """Start of an error message: names the utterance; empty for a single array."""
    return "" if name is None else f"utterance {name!r}: "
