"""Purity, PNMI and bit rate of discrete units against phone alignments.

Phone purity and PNMI are those of HuBERT (Hsu et al. 2021). Phone purity is also the mapping accuracy of
van den Oord et al. (2017, section 4.3), where every code stands for its most frequent phone. A frame has
the phone at its center; frames without a phone are dropped and counted. Up to 40 % of a corpus is silence,
and the paper does not state how silence is treated, so there are two protocols: `all` frames, and
`edges_trimmed`, without the silence at the start and end of each utterance.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from speechvq.alignment.intervals import Interval, intervals_at_frames
from speechvq.alignment.phones import is_silence
from speechvq.errors import UserError
from speechvq.metrics.bootstrap import centered_interval
from speechvq.metrics.units import contingency
from speechvq.metrics.units.utterance_tables import (
    TABLE_RESAMPLES,
    SparseTable,
    UtteranceTables,
    sparse_table,
)

PROTOCOLS = ("all", "edges_trimmed")
MAX_CELLS = 20_000_000  # of a table of phones by codes, 300 phones by 65,536 codes; bounds the memory to 2 GB
MAX_PHONES = 1_000  # more labels than this are words, not phones

Number = float | int | None


class LabeledCodes(NamedTuple):
    """Codes of an utterance and its phone alignment."""

    codes: np.ndarray  # (N,), integers in [0, K)
    intervals: Sequence[Interval]  # in order of time, without overlap
    speaker: str = ""  # "" if unknown


class PurityScore(NamedTuple):
    """Metrics of one protocol."""

    metrics: dict[str, Number]  # None where a metric is undefined, for example without speakers
    intervals: dict[str, tuple[float, float] | None]  # 95 %, bootstrap over utterances
    phones: tuple[str, ...]  # P names, sorted
    table: np.ndarray  # (P, K), frames of each phone and code


def score_purity(
    utterances: Iterable[LabeledCodes],
    num_codes: int,
    frame_rate_hz: float,
    *,
    seed: int = 0,
    num_resamples: int = TABLE_RESAMPLES,
) -> dict[str, PurityScore]:
    """Score codes against phones by both protocols; memory does not grow with the number of frames.

    Metrics:

    - `frames`, `dropped_frames`: scored frames, and frames without a phone or, for `edges_trimmed`, in the
      silence at the edges.
    - `num_phones`, `active_codes`: phones and codes that occur.
    - `majority_prior`: fraction of the most frequent phone.
    - `phone_purity`, `cluster_purity`, `pnmi`: see `contingency`.
    - `phone_purity_heldout`: the map from codes to phones is fitted on every second speaker by name and
    scored
      on the others, and vice versa; None for fewer than two speakers.
    - `shuffled_phone_purity`, `shuffled_pnmi`: the same with the codes of all frames in random order.
    - `perplexity`: 2 to the entropy of the codes in bits.
    - `bitrate_entropy`, `bitrate_max`: frame rate times entropy and times log2 K, bit/s.

    Args:
        utterances: read one by one.
        num_codes: K.
        frame_rate_hz: frames per second; frame i has its center at (i + 0.5) / frame_rate_hz seconds.
        seed: of the random order and of the bootstrap.
        num_resamples: of the bootstrap.

    Returns:
        A score for each of PROTOCOLS. All metrics but the counts are None for a protocol without frames.

    Raises:
        ValueError: codes are not (N,) integers in [0, K).
        UserError: the table of labels by codes would be too large.
    """
    counter = PurityCounter(num_codes)
    for utterance in utterances:
        counter.add(count_phones(utterance, num_codes, frame_rate_hz))
    return counter.score(frame_rate_hz, seed=seed, num_resamples=num_resamples)


class PhoneCounts(NamedTuple):
    """What the scores need to know of one utterance; a label is an index into `phones`."""

    phones: tuple[str, ...]  # in the order of time, each once
    tables: tuple[SparseTable, ...]  # of phones by codes, for each of PROTOCOLS
    dropped: tuple[int, ...]  # frames, for each of PROTOCOLS
    speaker: str = ""  # "" if unknown


def count_phones(utterance: LabeledCodes, num_codes: int, frame_rate_hz: float) -> PhoneCounts:
    """Count the frames of each phone and code in one utterance; errors as of `score_purity`."""
    codes = check_codes(utterance.codes, num_codes)
    at_frames = intervals_at_frames(utterance.intervals, len(codes), frame_rate_hz)
    names: dict[str, int] = {}
    ids = np.array([names.setdefault(each.phone, len(names)) for each in utterance.intervals], np.int64)
    _check_size(len(names), num_codes)
    first, last = _speech_span(utterance.intervals)
    has_phone = at_frames >= 0
    kept_frames = has_phone, has_phone & (at_frames >= first) & (at_frames < last)
    return PhoneCounts(
        tuple(names),
        tuple(sparse_table(ids[at_frames[kept]], codes[kept], num_codes) for kept in kept_frames),
        tuple(int(np.sum(~kept)) for kept in kept_frames),
        utterance.speaker,
    )


class PurityCounter:
    """The counts of all utterances, in bounded memory."""

    def __init__(self, num_codes: int) -> None:
        """
        Args:
            num_codes: K.
        """
        self._num_codes = num_codes
        self._counts = [_ProtocolCounts(num_codes) for _ in PROTOCOLS]
        self._names: dict[str, int] = {}

    def add(self, counts: PhoneCounts) -> None:
        """Add one utterance.

        Raises:
            UserError: the table of labels by codes would be too large.
        """
        ids = np.array([self._names.setdefault(phone, len(self._names)) for phone in counts.phones], np.int64)
        _check_size(len(self._names), self._num_codes)
        for protocol, table, dropped in zip(self._counts, counts.tables, counts.dropped):
            labels, codes = np.divmod(table.cells, self._num_codes)
            cells = ids[labels] * self._num_codes + codes
            order = np.argsort(cells)
            renamed = SparseTable(cells[order], table.counts[order])
            protocol.add(renamed, counts.speaker, dropped=dropped)

    def score(
        self, frame_rate_hz: float, *, seed: int = 0, num_resamples: int = TABLE_RESAMPLES
    ) -> dict[str, PurityScore]:
        """The scores by protocol; arguments as of `score_purity`."""
        scores = (
            each.score(self._names, frame_rate_hz, seed=seed, num_resamples=num_resamples)
            for each in self._counts
        )
        return dict(zip(PROTOCOLS, scores))


def speaker_halves(speakers: Iterable[str]) -> dict[str, int]:
    """0 for every second speaker by name, 1 for the other speakers, and 2 for the unknown speaker."""
    known = sorted(set(speakers) - {""})
    return {"": 2} | {speaker: i % 2 for i, speaker in enumerate(known)}


def check_codes(codes: np.ndarray, num_codes: int) -> np.ndarray:
    """Codes as (N,) int64.

    Raises:
        ValueError: they are not (N,) integers in [0, num_codes).
    """
    codes = np.asarray(codes)
    if codes.ndim != 1 or codes.dtype.kind not in "iu":
        raise ValueError(f"codes of shape {codes.shape} and {codes.dtype}; expected (N,) integers")
    if len(codes) and not (0 <= codes.min() and codes.max() < num_codes):
        raise ValueError(f"codes from {codes.min()} to {codes.max()}; expected 0 to {num_codes - 1}")
    return codes.astype(np.int64)


def _check_size(labels: int, num_codes: int) -> None:
    """Refuse a table of labels by codes that would not fit into memory."""
    if labels > MAX_PHONES:
        raise UserError(f"{labels} different labels; these are not phones, choose the phone tier by --tier")
    if labels * num_codes > MAX_CELLS:
        raise UserError(
            f"{labels} phones by {num_codes} codes: more than {MAX_CELLS} counts; give fewer codes"
        )


class _ProtocolCounts:
    """Counts of phones by codes under one protocol."""

    def __init__(self, num_codes: int) -> None:
        self.tables, self.dropped = UtteranceTables(num_codes), 0

    def add(self, table: SparseTable, speaker: str, *, dropped: int) -> None:
        """Add the kept frames of an utterance, and the number of dropped frames."""
        self.tables.add_table(table, group=speaker)
        self.dropped += dropped

    def score(
        self, names: dict[str, int], frame_rate: float, *, seed: int, num_resamples: int
    ) -> PurityScore:
        """The score of all counted frames; `names` holds the index of each phone."""
        phones = sorted(names)
        order = np.argsort([names[phone] for phone in phones])
        half = speaker_halves(self.tables.groups).__getitem__
        tables = self.tables.table(order, half, num_parts=3)
        estimates = _resampled_metrics(tables, frame_rate)
        draws = self.tables.resample(order, half, num_parts=3, num_resamples=num_resamples, seed=seed)
        drawn = [_resampled_metrics(each, frame_rate) for each in draws] if tables.any() else []
        bitrate_max = frame_rate * math.log2(self.tables.num_codes)
        bounds = {"perplexity": (1.0, float(self.tables.num_codes)), "bitrate_entropy": (0.0, bitrate_max)}
        intervals = {
            name: centered_interval(
                [each[name] for each in drawn], float(value), bounds.get(name, (0.0, 1.0))
            )
            for name, value in estimates.items()
        }
        table = tables.sum(axis=0)
        occurs = table.any(axis=1)
        return PurityScore(
            _all_metrics(table, estimates, dropped=self.dropped, bitrate_max=bitrate_max, seed=seed),
            intervals,
            tuple(phone for phone, kept in zip(phones, occurs) if kept),
            table[occurs],
        )


def _resampled_metrics(tables: np.ndarray, frame_rate: float) -> dict[str, np.ndarray]:
    """Metrics that get an interval, (...) each, from tables (3, ..., P, K) by half of the speakers."""
    total = tables.sum(axis=0)
    entropy = contingency.code_entropy(total)
    return {
        "majority_prior": contingency.majority_prior(total),
        "phone_purity": contingency.label_purity(total),
        "phone_purity_heldout": contingency.held_out_purity(tables[0], tables[1]),
        "cluster_purity": contingency.cluster_purity(total),
        "pnmi": contingency.pnmi(total),
        "perplexity": 2**entropy,
        "bitrate_entropy": frame_rate * entropy,
    }


def _all_metrics(
    table: np.ndarray, estimates: dict[str, np.ndarray], *, dropped: int, bitrate_max: float, seed: int
) -> dict[str, Number]:
    """All metrics, in the order of the tables; NaN becomes None."""
    values = {name: _finite(value) for name, value in estimates.items()}
    shuffled = contingency.shuffled(table, seed=seed)
    return {
        "frames": int(table.sum()),
        "dropped_frames": dropped,
        "num_phones": int(table.any(axis=1).sum()),
        "majority_prior": values["majority_prior"],
        "phone_purity": values["phone_purity"],
        "phone_purity_heldout": values["phone_purity_heldout"],
        "cluster_purity": values["cluster_purity"],
        "pnmi": values["pnmi"],
        "shuffled_phone_purity": _finite(contingency.label_purity(shuffled)),
        "shuffled_pnmi": _finite(contingency.pnmi(shuffled)),
        "active_codes": int(contingency.active_codes(table)),
        "perplexity": values["perplexity"],
        "bitrate_entropy": values["bitrate_entropy"],
        "bitrate_max": bitrate_max,
    }


def _finite(value: np.ndarray) -> float | None:
    return float(value) if np.isfinite(value) else None


def _speech_span(intervals: Sequence[Interval]) -> tuple[int, int]:
    """Index of the first interval that is not silence, and of the first interval of the final silence."""
    speech = [i for i, each in enumerate(intervals) if not is_silence(each.phone)]
    return (speech[0], speech[-1] + 1) if speech else (0, 0)
