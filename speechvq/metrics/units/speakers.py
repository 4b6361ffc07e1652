"""Speaker information in codes: PNMI of codes and speakers, and a linear probe."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from speechvq.metrics.bootstrap import centered_interval, mean_with_interval
from speechvq.metrics.units import contingency
from speechvq.metrics.units.utterance_tables import TABLE_RESAMPLES, UtteranceTables

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MAX_PER_SPEAKER = 40  # utterances of the probe; more take longer and barely change the accuracy
PERMUTATIONS = 20

_FOLDS = 5  # of the cross-validation
_INVERSE_REGULARIZATION = 100.0  # of the probe; 10 to 1000 score alike


class SpeakerScore(NamedTuple):
    """Metrics of speaker information in codes."""

    metrics: dict[str, float | int | None]
    intervals: dict[str, tuple[float, float] | None]  # 95 %


def score_speakers(
    utterances: Iterable[tuple[np.ndarray, str]],
    num_codes: int,
    *,
    seed: int = 0,
    num_resamples: int = TABLE_RESAMPLES,
) -> SpeakerScore:
    """Measure speaker information in codes; less is better for voice conversion.

    Metrics:

    - `utterances`, `frames`, `num_speakers`: counts.
    - `speaker_pnmi`: mutual information of code and speaker, divided by the entropy of the speaker; its
      interval is a bootstrap over utterances.
    - `shuffled_speaker_pnmi`: the same with the speakers permuted among the utterances.
    - `probe_accuracy`: fraction of held-out utterances whose speaker a logistic regression on code histograms
      names correctly (cross-validation); its interval is Wilson's.
    - `probe_chance`: fraction of the most frequent speaker.
    - `probe_utterances`, `probe_speakers`: utterances of the probe, and speakers with two utterances or more.

    Args:
        utterances: codes (N,), integers in [0, K), and the speaker of each utterance; read one by one.
        num_codes: K.
        seed: of the bootstrap, the permutations and the folds.
        num_resamples: of the bootstrap.

    Raises:
        ValueError: fewer than two speakers have codes.
    """
    histograms, speakers = [], []
    for codes, speaker in utterances:
        if len(codes):
            found, counts = np.unique(codes, return_counts=True)
            histograms.append((found.astype(np.int32), counts.astype(np.int32)))
            speakers.append(speaker)
    names, who = np.unique(speakers, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"{len(names)} speakers with codes; give codes of two speakers or more")
    matrix = _histogram_matrix(histograms)
    chosen = probe_utterances(who)
    correct = _probe(matrix[chosen], who[chosen], seed)
    accuracy, low, high = mean_with_interval(correct)
    pnmi = float(contingency.pnmi(_speaker_table(matrix, who)))
    rng = np.random.default_rng(seed)
    permuted = [contingency.pnmi(_speaker_table(matrix, rng.permutation(who))) for _ in range(PERMUTATIONS)]
    metrics = {
        "utterances": len(who),
        "frames": int(matrix.sum()),
        "num_speakers": len(names),
        "speaker_pnmi": pnmi,
        "shuffled_speaker_pnmi": float(np.mean(permuted)),
        "probe_accuracy": accuracy if correct else None,
        "probe_chance": float(np.bincount(who[chosen]).max() / len(chosen)) if len(chosen) else None,
        "probe_utterances": len(chosen),
        "probe_speakers": len(np.unique(who[chosen])),
    }
    drawn = _resampled_pnmi(histograms, who, num_codes, num_resamples, seed)
    intervals = {
        "speaker_pnmi": centered_interval(drawn, pnmi, (0.0, 1.0)),
        "probe_accuracy": (low, high) if correct else None,
    }
    return SpeakerScore(metrics, intervals)


def probe_utterances(who: np.ndarray) -> np.ndarray:
    """Indices of the utterances of the probe, spread evenly over each speaker's utterances.

    Args:
        who: (U,), speaker index of each utterance.

    Returns:
        Sorted indices; empty if fewer than two speakers have two utterances.
    """
    chosen = []
    for speaker in np.unique(who):
        indices = np.flatnonzero(who == speaker)
        count = min(len(indices), MAX_PER_SPEAKER)
        spread = np.unique(np.linspace(0, len(indices) - 1, count).round().astype(int))
        chosen.append(indices[spread] if len(indices) > 1 else indices[:0])
    kept = np.sort(np.concatenate(chosen))
    return kept if len(np.unique(who[kept])) > 1 else kept[:0]


def _probe(counts: "csr_matrix", who: np.ndarray, seed: int) -> list[float]:
    """1.0 for every held-out utterance with a correct prediction, else 0.0: (U, K) and (U,) to U values."""
    if not len(who):
        return []
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    # Square roots of frequencies have unit length, and their distance is Hellinger's. Standardized features
    # give rare codes too much weight: accuracy on segments of real speech falls from 46 % to 37 %.
    features = counts.multiply(1 / counts.sum(axis=1)).sqrt().tocsr()
    folds = int(min(_FOLDS, np.bincount(who)[np.unique(who)].min()))
    correct = np.zeros(len(who))
    for fitted, held_out in StratifiedKFold(max(folds, 2), shuffle=True, random_state=seed).split(who, who):
        probe = LogisticRegression(C=_INVERSE_REGULARIZATION, max_iter=3000)
        probe.fit(features[fitted], who[fitted])
        correct[held_out] = probe.predict(features[held_out]) == who[held_out]
    return correct.tolist()


def _histogram_matrix(histograms: Sequence[tuple[np.ndarray, np.ndarray]]) -> "csr_matrix":
    """Histograms as a sparse matrix (U, A) of the A codes that occur."""
    from scipy.sparse import csr_matrix

    codes = np.concatenate([codes for codes, _ in histograms])
    counts = np.concatenate([counts for _, counts in histograms]).astype(np.int64)
    _, columns = np.unique(codes, return_inverse=True)
    rows = np.repeat(np.arange(len(histograms)), [len(codes) for codes, _ in histograms])
    return csr_matrix((counts, (rows, columns)))


def _speaker_table(counts: "csr_matrix", who: np.ndarray) -> np.ndarray:
    """Counts by speaker and code, (S, A), from counts by utterance and code, (U, A)."""
    from scipy.sparse import csr_matrix

    membership = csr_matrix((np.ones(len(who), np.int64), (who, np.arange(len(who)))))
    return (membership @ counts).toarray()


def _resampled_pnmi(
    histograms: Sequence[tuple[np.ndarray, np.ndarray]],
    who: np.ndarray,
    num_codes: int,
    num_resamples: int,
    seed: int,
) -> list[np.ndarray]:
    """PNMI of bootstrap resamples of the utterances."""
    tables = UtteranceTables(num_codes)
    for (codes, counts), speaker in zip(histograms, who):
        tables.add(np.full(counts.sum(), speaker), np.repeat(codes, counts))
    draws = tables.resample(np.arange(who.max() + 1), num_resamples=num_resamples, seed=seed)
    return [contingency.pnmi(each[0]) for each in draws]
