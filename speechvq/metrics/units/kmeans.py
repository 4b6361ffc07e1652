"""Discrete units by k-means: each feature frame gets the index of its nearest centroid.

This is the baseline of learned units. The first units of HuBERT (Hsu et al. 2021, section II-A) are k-means
clusters of MFCC.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

BATCH_SIZE = 4096  # frames per step of mini-batch k-means
NUM_INITS = 3  # random initializations; the best one is kept

Features = Callable[[np.ndarray], np.ndarray]  # waveform (T,), 16 kHz, to frames (N, C), float32


@dataclass(frozen=True)
class KMeansQuantizer:
    """Encodes waveforms as codes: the nearest centroid of each feature frame."""

    features: Features
    centroids: np.ndarray  # (K, C), float32

    @classmethod
    def fit(cls, features: Features, frames: np.ndarray, num_codes: int, seed: int) -> "KMeansQuantizer":
        """Fit centroids by mini-batch k-means (Sculley 2010); equal arguments give equal centroids.

        Args:
            features: the feature extractor that computed `frames`; `encode` uses it.
            frames: (M, C), float32, of training recordings only.
            num_codes: K.
            seed: of the initialization and of the batches.

        Raises:
            ValueError: fewer frames than codes, or no codes.
        """
        from sklearn.cluster import MiniBatchKMeans

        if not 1 <= num_codes <= len(frames):
            raise ValueError(
                f"{len(frames)} training frames for {num_codes} codes; give more audio or fewer codes"
            )
        batch = max(BATCH_SIZE, 2 * num_codes)
        model = MiniBatchKMeans(num_codes, batch_size=batch, n_init=NUM_INITS, random_state=seed)
        return cls(features, model.fit(frames).cluster_centers_.astype(np.float32))

    def nearest(self, frames: np.ndarray) -> np.ndarray:
        """Index of the nearest centroid: frames (N, C), float32, to (N,) int64."""
        import torch

        from speechvq.quantizer import nearest_code

        return nearest_code(torch.from_numpy(frames), torch.from_numpy(self.centroids)).numpy()

    def encode(self, wave: np.ndarray) -> np.ndarray:
        """Codes of a waveform: (T,), 16 kHz, to (N,) int64."""
        return self.nearest(self.features(wave))
