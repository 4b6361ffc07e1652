"""Are the codes phonemes? Purity, PNMI and bit rate of anybody's units against phone alignments.

Phone purity and PNMI are those of HuBERT (Hsu et al. 2021); phone purity is the mapping accuracy of van den
Oord et al. 2017, section 4.3, where every code stands for its likeliest phone. A frame has the phone at its
centre; frames without one are dropped and counted. There are two protocols, because up to 40 % of a corpus is
silence and the paper does not say what became of it: `all` frames, and `edges_trimmed`, which leaves out the
silence that begins and ends an utterance.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from speechvq.alignment.intervals import Interval, intervals_at_frames
from speechvq.alignment.phones import is_silence
from speechvq.metrics.bootstrap import NUM_RESAMPLES, UtteranceTables, centered_interval
from speechvq.metrics.units import contingency

PROTOCOLS = ("all", "edges_trimmed")
MOST_CELLS = 100_000_000  # of a table of phones by codes; words in place of phones make more

Number = float | int | None


class LabeledCodes(NamedTuple):
    """The codes of an utterance and the phones that were spoken."""

    codes: np.ndarray  # (N,), integers in [0, K)
    intervals: Sequence[Interval]  # in order of time, not overlapping
    speaker: str = ""  # "" where it is not known


class PurityScore(NamedTuple):
    """What one protocol gives."""

    metrics: dict[str, Number]  # None where a figure has no meaning, for example without speakers
    intervals: dict[str, tuple[float, float] | None]  # of 95 %, by the bootstrap over utterances
    phones: tuple[str, ...]  # P names, sorted
    table: np.ndarray  # (P, K), frames of each phone and code


def score_purity(
    utterances: Iterable[LabeledCodes],
    num_codes: int,
    frame_rate_hz: float,
    *,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
) -> dict[str, PurityScore]:
    """Score units against phones, by both protocols; memory does not grow with the number of frames.

    Figures: `frames` scored and `dropped_frames` (together every frame given: those without a phone are
    dropped, and by `edges_trimmed` the silence at the edges too); `num_phones` and `active_codes` that occur;
    `majority_prior`, the share of the most frequent phone; `phone_purity`, `cluster_purity` and `pnmi`, as
    `contingency` defines them; `phone_purity_heldout`, the map fitted on every second speaker by name and
    scored on the others, and the other way round, all frames together, None for fewer than two speakers;
    `shuffled_phone_purity` and `shuffled_pnmi`, the same after a permutation of all frames' codes;
    `perplexity`, 2 to the entropy of the codes; `bitrate_entropy` and `bitrate_max` in bit/s, the frame rate
    times that entropy and times log2 K.

    Args:
        utterances: taken one by one.
        num_codes: K.
        frame_rate_hz: frames a second; frame i has its centre at (i + 0.5) / frame_rate_hz seconds.
        seed: of the permutation and of the bootstrap.
        resamplings: of the bootstrap.

    Returns:
        A score for each of PROTOCOLS. What has no meaning is None: of a protocol that no frame is left to,
        all but the counts.

    Raises:
        ValueError: codes are not (N,) integers in [0, K), or labels and codes are too many for a table.
    """
    counts = [_Counts(num_codes) for _ in PROTOCOLS]
    names: dict[str, int] = {}
    for utterance in utterances:
        codes = _checked(utterance.codes, num_codes)
        at_frames = intervals_at_frames(utterance.intervals, len(codes), frame_rate_hz)
        ids = np.array([names.setdefault(each.phone, len(names)) for each in utterance.intervals], np.int64)
        if len(names) * num_codes > MOST_CELLS:
            raise ValueError(f"{len(names)} different labels: these are no phones; choose the tier of phones")
        first, last = _spoken(utterance.intervals)
        inside = at_frames >= 0
        for each, kept in zip(counts, (inside, inside & (at_frames >= first) & (at_frames < last))):
            each.add(ids[at_frames[kept]], codes[kept], utterance.speaker, dropped=int(np.sum(~kept)))
    scores = (each.score(names, frame_rate_hz, seed=seed, resamplings=num_resamples) for each in counts)
    return dict(zip(PROTOCOLS, scores))


def speaker_halves(speakers: Iterable[str]) -> dict[str, int]:
    """Every second speaker by name to half 0, the others to half 1; the unknown speaker "" to 2."""
    known = sorted(set(speakers) - {""})
    return {"": 2} | {speaker: i % 2 for i, speaker in enumerate(known)}


class _Counts:
    """What one protocol counts, and the score that it comes to."""

    def __init__(self, num_codes: int) -> None:
        self.tables, self.dropped = UtteranceTables(num_codes), 0

    def add(self, phones: np.ndarray, codes: np.ndarray, speaker: str, *, dropped: int) -> None:
        """Count the frames that are kept, (M,) each, and how many are not."""
        self.tables.add(phones, codes, group=speaker)
        self.dropped += dropped

    def score(self, names: dict[str, int], frame_rate: float, *, seed: int, resamplings: int) -> PurityScore:
        """The score of all that was counted; `names` are the numbers of the phones."""
        phones = sorted(names)
        order = np.argsort([names[phone] for phone in phones])
        half = speaker_halves(self.tables.groups).__getitem__
        tables = self.tables.table(order, half, num_parts=3)
        measured = _measured(tables, frame_rate)
        draws = self.tables.resample(order, half, num_parts=3, num_resamples=resamplings, seed=seed)
        drawn = [_measured(each, frame_rate) for each in draws] if tables.any() else []
        most = frame_rate * math.log2(self.tables.num_codes)
        bounds = {"perplexity": (1.0, float(self.tables.num_codes)), "bitrate_entropy": (0.0, most)}
        intervals = {
            name: centered_interval([each[name] for each in drawn], value, bounds.get(name, (0.0, 1.0)))
            for name, value in measured.items()
        }
        table = tables.sum(axis=0)
        spoken = table.any(axis=1)
        return PurityScore(
            _figures(table, measured, dropped=self.dropped, most=most, seed=seed),
            intervals,
            tuple(phone for phone, occurs in zip(phones, spoken) if occurs),
            table[spoken],
        )


def _measured(tables: np.ndarray, frame_rate: float) -> dict[str, np.ndarray]:
    """The figures that get an interval, from tables by half of the speakers, (3, ..., P, K); (...) each."""
    together = tables.sum(axis=0)
    entropy = contingency.code_entropy(together)
    return {
        "majority_prior": contingency.majority_prior(together),
        "phone_purity": contingency.label_purity(together),
        "phone_purity_heldout": contingency.held_out_purity(tables[0], tables[1]),
        "cluster_purity": contingency.cluster_purity(together),
        "pnmi": contingency.pnmi(together),
        "perplexity": 2**entropy,
        "bitrate_entropy": frame_rate * entropy,
    }


def _figures(
    table: np.ndarray, measured: dict[str, np.ndarray], *, dropped: int, most: float, seed: int
) -> dict[str, Number]:
    """Every figure, in the order in which it is read; NaN becomes None."""
    shares = {name: _known(value) for name, value in measured.items()}
    mixed = contingency.shuffled(table, seed=seed)
    return {
        "frames": int(table.sum()),
        "dropped_frames": dropped,
        "num_phones": int(table.any(axis=1).sum()),
        "majority_prior": shares["majority_prior"],
        "phone_purity": shares["phone_purity"],
        "phone_purity_heldout": shares["phone_purity_heldout"],
        "cluster_purity": shares["cluster_purity"],
        "pnmi": shares["pnmi"],
        "shuffled_phone_purity": _known(contingency.label_purity(mixed)),
        "shuffled_pnmi": _known(contingency.pnmi(mixed)),
        "active_codes": int(contingency.active_codes(table)),
        "perplexity": shares["perplexity"],
        "bitrate_entropy": shares["bitrate_entropy"],
        "bitrate_max": most,
    }


def _known(value: np.ndarray) -> float | None:
    return float(value) if np.isfinite(value) else None


def _checked(codes: np.ndarray, num_codes: int) -> np.ndarray:
    codes = np.asarray(codes)
    if codes.ndim != 1 or codes.dtype.kind not in "iu":
        raise ValueError(f"codes of shape {codes.shape} and {codes.dtype}; expected (N,) integers")
    if len(codes) and not (0 <= codes.min() and codes.max() < num_codes):
        raise ValueError(f"codes from {codes.min()} to {codes.max()}; expected 0 to {num_codes - 1}")
    return codes.astype(np.int64)


def _spoken(intervals: Sequence[Interval]) -> tuple[int, int]:
    """Indices of the first interval that is not silent and of the first of the silence at the end."""
    loud = [i for i, each in enumerate(intervals) if not is_silence(each.phone)]
    return (loud[0], loud[-1] + 1) if loud else (0, 0)
