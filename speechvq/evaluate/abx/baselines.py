"""Baselines for the ABX error of codes: MFCC, k-means on MFCC, and the same codes in random order."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from speechvq.audio.mfcc import mfcc
from speechvq.data.manifest import Utterance
from speechvq.errors import UserError
from speechvq.evaluate.abx.corpus import Corpus
from speechvq.evaluate.aligned_speech import read_waveforms, training_utterances
from speechvq.evaluate.baselines import MFCC_FRAMES
from speechvq.metrics.units.frame_distance import FrameDistance, angular, codebook_angular, identical
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
    """Frame distances of the baselines, by name.

    All baselines have as many frames as the corpus, so the same items and triples are compared.

    Args:
        corpus: of codes (M,).
        distance_of: the distance between codes, given all codes in order.
        manifest: all utterances; k-means is fitted on split train.
        num_codes: K.
        frame_rate_hz: of the codes.
        by_vectors: compare units of k-means by the angle between centroids, otherwise by equality.
        seed: of k-means and of the shuffling.

    Raises:
        UserError: a recording cannot be read, or there is too little to fit on.
    """
    features = partial(mfcc, frame_rate_hz=frame_rate_hz)
    training = read_waveforms(
        training_utterances(manifest, MFCC_FRAMES / frame_rate_hz), label="k-means: fit"
    )
    try:
        units = KMeansQuantizer.fit(
            features, np.concatenate([features(wave) for wave in training]), num_codes, seed
        )
    except ValueError as error:
        raise UserError(f"split train: {error}") from None
    waveforms = zip(read_waveforms(corpus.utterances, label="MFCC"), corpus.lengths)
    frames = np.concatenate([_to_length(features(wave), length) for wave, length in waveforms])
    nearest = units.nearest(frames)
    shuffled = np.random.default_rng(seed).permutation(corpus.frames)
    return {
        "MFCC": angular(frames),
        "k-means on MFCC": codebook_angular(nearest, units.centroids) if by_vectors else identical(nearest),
        "shuffled codes": distance_of(shuffled),
    }


def _to_length(frames: np.ndarray, length: int) -> np.ndarray:
    """Cut frames (N', C) to (length, C), or repeat the last one: other programs may round N differently."""
    return frames[np.minimum(np.arange(length), len(frames) - 1)]
