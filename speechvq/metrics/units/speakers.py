"""How much of a voice is left in the codes: PNMI of codes and speakers, and a linear probe."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from speechvq.metrics.bootstrap import NUM_RESAMPLES, UtteranceTables, centered_interval
from speechvq.metrics.summary import mean_with_interval
from speechvq.metrics.units import contingency

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MOST_A_SPEAKER = 40  # utterances that the probe reads; more take long and tell little more
PERMUTATIONS = 20

_PARTS = 5  # of the cross-validation
_LOOSENESS = 100.0  # inverse strength of the probe's regularisation; 10 to 1000 score alike


class SpeakerScore(NamedTuple):
    """What codes tell of the speaker."""

    metrics: dict[str, float | int | None]
    intervals: dict[str, tuple[float, float] | None]  # of 95 %


def score_speakers(
    utterances: Iterable[tuple[np.ndarray, str]],
    num_codes: int,
    *,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
) -> SpeakerScore:
    """Measure how much of the speaker the codes tell; the less, the better for changing voices.

    Figures: `utterances`, `frames`, `num_speakers`; `speaker_pnmi`, the mutual information of code and
    speaker over the entropy of the speaker, with its bootstrap interval over utterances, and
    `shuffled_speaker_pnmi`, the same with speakers dealt out anew among the utterances, which keeps what a
    sentence makes of its codes; `probe_accuracy`, utterances whose speaker a logistic regression on code
    histograms names, each utterance held out in its turn, with Wilson's interval, and `probe_chance`, the
    share of the most frequent speaker; `probe_utterances` that the probe read and `probe_speakers` (those of
    two utterances or more).

    Args:
        utterances: codes (N,), integers in [0, K), and the speaker of each; taken one by one.
        num_codes: K.
        seed: of the bootstrap, the shuffling and the folds.
        resamplings: of the bootstrap.

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
        raise ValueError(f"{len(names)} speakers with codes; there have to be two or more to tell apart")
    matrix = _matrix(histograms)
    chosen = probe_utterances(who)
    right = _probe(matrix[chosen], who[chosen], seed)
    accuracy, *bounds = mean_with_interval(right)
    pnmi = float(contingency.pnmi(_by_speaker(matrix, who)))
    rng = np.random.default_rng(seed)
    dealt = [contingency.pnmi(_by_speaker(matrix, rng.permutation(who))) for _ in range(PERMUTATIONS)]
    figures = {
        "utterances": len(who),
        "frames": int(matrix.sum()),
        "num_speakers": len(names),
        "speaker_pnmi": pnmi,
        "shuffled_speaker_pnmi": float(np.mean(dealt)),
        "probe_accuracy": _known(accuracy),
        "probe_chance": float(np.bincount(who[chosen]).max() / len(chosen)) if len(chosen) else None,
        "probe_utterances": len(chosen),
        "probe_speakers": len(np.unique(who[chosen])),
    }
    drawn = _resampled(histograms, who, len(names), num_codes, num_resamples, seed)
    return SpeakerScore(
        figures,
        {
            "speaker_pnmi": centered_interval(drawn, pnmi, (0.0, 1.0)),
            "probe_accuracy": (bounds[0], bounds[1]) if len(right) else None,
        },
    )


def probe_utterances(who: np.ndarray) -> np.ndarray:
    """Which of the utterances (U,) of numbered speakers the probe reads: spread over each speaker's."""
    chosen = []
    for speaker in np.unique(who):
        mine = np.flatnonzero(who == speaker)
        few = np.unique(np.linspace(0, len(mine) - 1, min(len(mine), MOST_A_SPEAKER)).round().astype(int))
        chosen.append(mine[few] if len(mine) > 1 else mine[:0])
    kept = np.sort(np.concatenate(chosen))
    return kept if len(np.unique(who[kept])) > 1 else kept[:0]


def _probe(counts: "csr_matrix", who: np.ndarray, seed: int) -> list[float]:
    """1 for each of some utterances, (U, K) and (U,), that is given to its speaker when held out, else 0."""
    if not len(who):
        return []
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    # Roots of shares have length one, and their distance is Hellinger's. With each feature scaled by itself
    # rare codes weigh too much: 37 % of pieces of real speech named instead of 46 %.
    features = counts.multiply(1 / counts.sum(axis=1)).sqrt().tocsr()
    parts = int(min(_PARTS, np.bincount(who)[np.unique(who)].min()))
    right = np.zeros(len(who))
    for fitted, held_out in StratifiedKFold(max(parts, 2), shuffle=True, random_state=seed).split(who, who):
        probe = LogisticRegression(C=_LOOSENESS, max_iter=3000).fit(features[fitted], who[fitted])
        right[held_out] = probe.predict(features[held_out]) == who[held_out]
    return right.tolist()


def _matrix(histograms: Sequence[tuple[np.ndarray, np.ndarray]]) -> "csr_matrix":
    """Histograms as a sparse matrix, (U, A), of the codes that occur."""
    from scipy.sparse import csr_matrix

    codes = np.concatenate([codes for codes, _ in histograms])
    counts = np.concatenate([counts for _, counts in histograms]).astype(np.int64)
    _, columns = np.unique(codes, return_inverse=True)
    rows = np.repeat(np.arange(len(histograms)), [len(codes) for codes, _ in histograms])
    return csr_matrix((counts, (rows, columns)))


def _by_speaker(counts: "csr_matrix", who: np.ndarray) -> np.ndarray:
    """Counts of speaker and code, (S, A), from those of utterances (U, A)."""
    from scipy.sparse import csr_matrix

    belongs = csr_matrix((np.ones(len(who), np.int64), (who, np.arange(len(who)))))
    return (belongs @ counts).toarray()


def _resampled(
    histograms: Sequence[tuple[np.ndarray, np.ndarray]],
    who: np.ndarray,
    num_speakers: int,
    num_codes: int,
    resamplings: int,
    seed: int,
) -> list[np.ndarray]:
    """PNMI of resampled utterances."""
    tables = UtteranceTables(num_codes)
    for (codes, counts), speaker in zip(histograms, who):
        tables.add(np.full(counts.sum(), speaker), np.repeat(codes, counts))
    draws = tables.resample(np.arange(num_speakers), num_resamples=resamplings, seed=seed)
    return [contingency.pnmi(each[0]) for each in draws]


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
