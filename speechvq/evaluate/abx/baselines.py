"""What the ABX error of codes is held against: MFCC, k-means on them, and the same codes in any order."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from speechvq.audio.mfcc import mfcc
from speechvq.data.manifest import Utterance
from speechvq.errors import UserError
from speechvq.evaluate.abx.corpus import Corpus
from speechvq.evaluate.aligned_speech import read_waveforms, training_utterances
from speechvq.evaluate.baselines import MFCC_FRAMES
from speechvq.metrics.frame_distance import FrameDistance, angular, codebook_angular, identical
from speechvq.metrics.units.kmeans import KMeansQuantizer


def baseline_distances(
    corpus: Corpus,
    distance_of: Callable[[np.ndarray], FrameDistance],
    *,
    manifest: Sequence[Utterance],
    num_codes: int,
    frame_rate_hz: float,
    by_vectors: bool,
    seed: int,
) -> dict[str, FrameDistance]:
    """Distances between the frames of other units of the same speech, by the units' names.

    All have the frames of the corpus, one for one, so that the same items and triples are compared.

    Args:
        corpus: of codes (M,).
        distance_of: the distance of the codes themselves, given their order.
        manifest: every utterance; k-means is fitted on split train.
        num_codes: K.
        frame_rate_hz: of the codes.
        by_vectors: compare units of k-means by the angle of their centroids, else as equal or not.
        seed: of k-means and of the shuffling.

    Raises:
        UserError: a sound cannot be read, or there is too little to fit on.
    """
    features = partial(mfcc, frame_rate_hz=frame_rate_hz)
    heard = read_waveforms(training_utterances(manifest, MFCC_FRAMES / frame_rate_hz), label="k-means: fit")
    try:
        units = KMeansQuantizer.fit(
            features, np.concatenate([features(wave) for wave in heard]), num_codes, seed
        )
    except ValueError as error:
        raise UserError(f"split train: {error}") from None
    sounds = zip(read_waveforms(corpus.utterances, label="MFCC"), corpus.lengths)
    frames = np.concatenate([_of_length(features(wave), length) for wave, length in sounds])
    nearest = units.nearest(frames)
    shuffled = np.random.default_rng(seed).permutation(corpus.frames)
    return {
        "MFCC": angular(frames),
        "k-means on MFCC": codebook_angular(nearest, units.centroids) if by_vectors else identical(nearest),
        "shuffled codes": distance_of(shuffled),
    }


def _of_length(frames: np.ndarray, length: int) -> np.ndarray:
    """The first frames, or all and the last again: (N', C) to (length, C). Others may round N otherwise."""
    return frames[np.minimum(np.arange(length), len(frames) - 1)]
