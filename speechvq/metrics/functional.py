"""Metrics on plain arrays, the public interface of `speechvq.metrics`.

Arrays are NumPy arrays, lists or torch tensors. Several utterances are a list or a dict of arrays; their
frames are scored together. A mistake in the arguments raises a ValueError that names the utterance and the
remedy.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from speechvq.metrics.inputs import (
    Segment,
    Utterances,
    check_codes,
    check_frames,
    check_same_utterances,
    named_alignments,
    named_arrays,
    named_speakers,
    prefix,
    to_numpy,
)
from speechvq.metrics.units import contingency

if TYPE_CHECKING:
    from speechvq.metrics.units.abx import AbxScore
    from speechvq.metrics.units.abx_items import Item, ItemKind


@dataclass(frozen=True)
class CodebookStatistics:
    """Codebook usage; multiply by the frame rate for rates per second."""

    num_frames: int  # frames counted
    active_codes: int  # codes that occur
    active_code_fraction: float  # of K
    most_frequent_code_fraction: float  # of the frames
    entropy_bits: float  # per frame
    perplexity: float  # 2 to the entropy
    mean_code_duration_frames: float  # mean length of the runs of equal codes
    counts: np.ndarray = field(repr=False)  # (K,), frames of each code


def purity(codes: Utterances, phones: Utterances) -> float:
    """Phone purity: fraction of correct frames if every code is mapped to its most frequent phone.

    The definition is that of HuBERT (Hsu et al. 2021) and equals the mapping accuracy of van den Oord et al.
    (2017).

    Args:
        codes: (N,), integers from 0; or a list or dict of such arrays, one per utterance.
        phones: (N,), one label per code, strings or integers, in the same structure. Frames labeled None are
            not scored. `speechvq.alignment.intervals.phones_at_frames` computes labels from an alignment.

    Returns:
        Between 0 and 1; at least the fraction of the most frequent phone.

    Raises:
        ValueError: lengths or utterances differ, codes are not integers from 0, or no frame has a label.

    Examples:
        >>> purity([0, 0, 1, 1], ["a", "a", "a", "b"])
        0.75
        >>> purity({"u1": [0, 0], "u2": [1]}, {"u1": ["a", "b"], "u2": ["b"]})
        0.6666666666666666
    """
    return float(contingency.label_purity(_contingency_table(codes, phones)))


def cluster_purity(codes: Utterances, phones: Utterances) -> float:
    """Cluster purity: fraction of correct frames if every phone is mapped to its most frequent code.

    Args and errors are those of `purity`.

    Examples:
        >>> cluster_purity([0, 0, 1, 2], ["a", "a", "b", "b"])
        0.75
    """
    return float(contingency.cluster_purity(_contingency_table(codes, phones)))


def pnmi(codes: Utterances, phones: Utterances) -> float:
    """Phone-normalized mutual information: I(phone; code) / H(phone) (Hsu et al. 2021).

    Args and errors are those of `purity`.

    Returns:
        Between 0, for independent codes, and 1, if the code determines the phone.

    Examples:
        >>> pnmi([0, 1, 2, 2], ["a", "a", "b", "b"])
        1.0
        >>> pnmi([0, 1, 0, 1], ["a", "a", "b", "b"])
        0.0
    """
    return float(contingency.pnmi(_contingency_table(codes, phones)))


def codebook_statistics(codes: Utterances, num_codes: int) -> CodebookStatistics:
    """Codebook usage over all frames: active codes, perplexity, entropy and run lengths.

    Args:
        codes: (N,), integers in [0, K); or a list or dict of such arrays. Runs end at utterance boundaries.
        num_codes: K.

    Raises:
        ValueError: codes are not integers in [0, K), or there are none.

    Examples:
        >>> usage = codebook_statistics([3, 3, 1, 1], num_codes=4)
        >>> usage.active_codes, usage.perplexity, usage.mean_code_duration_frames
        (2, 2.0, 2.0)
    """
    utterances = {
        name: check_codes(name, array, num_codes) for name, array in named_arrays(codes, "codes").items()
    }
    counts = sum(
        (np.bincount(array, minlength=num_codes) for array in utterances.values()),
        np.zeros(num_codes, np.int64),
    )
    frames = int(counts.sum())
    if not frames:
        raise ValueError("there are no codes; give at least one")
    runs = sum(int(np.count_nonzero(np.diff(array))) + 1 for array in utterances.values() if len(array))
    entropy, active = float(contingency.code_entropy(counts[None])), int(np.count_nonzero(counts))
    return CodebookStatistics(
        num_frames=frames,
        active_codes=active,
        active_code_fraction=active / num_codes,
        most_frequent_code_fraction=float(counts.max() / frames),
        entropy_bits=entropy,
        perplexity=2**entropy,
        mean_code_duration_frames=frames / runs,
        counts=counts,
    )


def abx(
    frames: Utterances,
    alignments: Mapping[Hashable, Sequence[Segment]] | Sequence[Any],
    speakers: Mapping[Hashable, str] | Sequence[str] | str = "",
    *,
    frame_rate_hz: float,
    speaker: Literal["within", "across"] = "within",
    context: Literal["within", "any"] = "within",
    items: "ItemKind" = "triphone",
    codebook: Any = None,
    max_group: int | None = 10,
    max_across: int | None = 5,
    seed: int = 0,
) -> "AbxScore":
    """ABX discrimination error of features or codes, as in ZeroSpeech 2021 and fastabx; chance is 0.5.

    Args:
        frames: features (N, C), compared by angular distance, or codes (N,), compared for equality or by
            the angle of their codebook entries; or a list or dict of such arrays, one per utterance.
        alignments: (start, end, phone) in seconds, in order of time, for every utterance.
        speakers: speaker of every utterance; one name for a single utterance.
        frame_rate_hz: frames per second; frame i has its center at (i + 0.5) / frame_rate_hz seconds.
        speaker: "within": A, B and X by one speaker; "across": X by another speaker than A and B.
        context: "within": A, B and X have the same neighboring phones; "any": no condition.
        items: "triphone": a phone with its neighbors; "phoneme": the phone alone.
        codebook: (K, C), for the angular distance of codes; None compares codes for equality.
        max_group: items per phone, context and speaker; None for all.
        max_across: speakers of X per speaker of A; None for all.
        seed: of the choice of items and speakers, and of the bootstrap.

    Returns:
        Error with its 95 % interval, and the numbers of phone pairs, cells and triples; the error is NaN if
        no triple could be formed.

    Raises:
        ValueError: shapes or utterances do not match.

    Examples:
        >>> codes = [0, 1, 2, 0, 1, 2]
        >>> alignment = [(i / 50, (i + 1) / 50, phone) for i, phone in enumerate("abcabc")]
        >>> abx(codes, alignment, frame_rate_hz=50, items="phoneme", context="any").error
        0.0
    """
    from speechvq.metrics.units.abx import AbxOptions, abx_error
    from speechvq.metrics.units.frame_distance import angular, codebook_angular, identical

    for name, value, choices in (
        ("speaker", speaker, ("within", "across")),
        ("context", context, ("within", "any")),
        ("items", items, ("triphone", "phoneme")),
    ):
        if value not in choices:
            raise ValueError(f"{name} {value!r}; give {' or '.join(map(repr, choices))}")
    if not frame_rate_hz > 0:
        raise ValueError(f"frame_rate_hz {frame_rate_hz}; give the number of frames per second")
    arrays = {
        name: check_frames(name, array) for name, array in named_arrays(frames, "frames", max_ndim=2).items()
    }
    if not arrays:
        raise ValueError("there are no frames; give at least one utterance")
    if len({array.shape[1:] for array in arrays.values()}) > 1:
        raise ValueError("utterances have different numbers of features; give frames of one kind")
    joined = np.concatenate(list(arrays.values()))
    found = _items(
        arrays, named_alignments(alignments, arrays), named_speakers(speakers, arrays), frame_rate_hz, items
    )
    if joined.ndim == 2:
        if codebook is not None:
            raise ValueError("codebook: only for codes (N,); features (N, C) are compared directly")
        distance = angular(joined)
    elif codebook is None:
        distance = identical(joined)
    else:
        vectors = to_numpy(codebook)
        if vectors.ndim != 2 or not np.all((joined >= 0) & (joined < len(vectors))):
            raise ValueError(f"codebook of shape {vectors.shape}: expected (K, C) with K above every code")
        distance = codebook_angular(joined, vectors)
    return abx_error(found, distance, AbxOptions(speaker, context, max_group, max_across, seed))


def _contingency_table(codes: Utterances, phones: Utterances) -> np.ndarray:
    """Counts of labeled frames by phone and code, (P, A).

    Raises:
        ValueError: see `purity`.
    """
    code_arrays = named_arrays(codes, "codes")
    label_arrays = named_arrays(phones, "phones", dtype=object)
    check_same_utterances(code_arrays, label_arrays, "phones")
    kept_codes, kept_labels = [], []
    for name, array in code_arrays.items():
        array, labels = check_codes(name, array), label_arrays[name]
        if labels.ndim != 1 or len(labels) != len(array):
            raise ValueError(
                f"{prefix(name)}{len(array)} codes, labels of shape {labels.shape}; give one label per code"
            )
        labeled = np.array([label is not None for label in labels], bool)
        kept_codes.append(array[labeled])
        kept_labels += [str(label) for label in labels[labeled]]
    if not kept_labels:
        raise ValueError("no frame has a label; give phones for at least one code")
    columns = np.unique(np.concatenate(kept_codes), return_inverse=True)[1]
    rows = np.unique(kept_labels, return_inverse=True)[1]
    table = np.zeros((rows.max() + 1, columns.max() + 1), np.int64)
    np.add.at(table, (rows, columns), 1)
    return table


def _items(
    arrays: Mapping[Hashable, np.ndarray],
    alignments: Mapping[Hashable, Sequence[Segment]],
    speakers: Mapping[Hashable, str],
    frame_rate_hz: float,
    kind: "ItemKind",
) -> "list[Item]":
    """Items of all utterances; their frames are numbered over all utterances."""
    from speechvq.alignment.intervals import Interval
    from speechvq.metrics.units.abx_items import find_items

    items: list[Item] = []
    offset = 0
    for name, array in arrays.items():
        if any(len(segment) != 3 for segment in alignments[name]):
            raise ValueError(f"{prefix(name)}alignments are (start, end, phone) for every phone")
        intervals = [Interval(float(start), float(end), str(phone)) for start, end, phone in alignments[name]]
        found, _ = find_items(intervals, speakers[name], len(array), frame_rate_hz, kind)
        items += [item._replace(first=item.first + offset, end=item.end + offset) for item in found]
        offset += len(array)
    return items
