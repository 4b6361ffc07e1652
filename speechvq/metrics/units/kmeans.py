"""Units by k-means: the nearest of K centroids to a frame of any features.

The baseline that learnt units must beat; HuBERT (Hsu et al. 2021, section II-A) begins with k-means on MFCC.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

BATCH = 4096  # frames a step of mini-batch k-means
STARTS = 3  # draws of the first centroids, of which the best is kept

Features = Callable[[np.ndarray], np.ndarray]  # sound (T,) at 16 kHz to frames (N, C), float32


@dataclass(frozen=True)
class KMeansQuantizer:
    """A way from sound to codes: the features of each frame, and the nearest centroid."""

    features: Features
    centroids: np.ndarray  # (K, C), float32

    @classmethod
    def fit(cls, features: Features, frames: np.ndarray, num_codes: int, seed: int) -> "KMeansQuantizer":
        """Learn the centroids by mini-batch k-means (Sculley 2010); equal arguments give equal units.

        Args:
            features: what made the frames, and will make those to encode.
            frames: (M, C), float32, of training sound only.
            num_codes: K.
            seed: of the first centroids and of the batches.

        Raises:
            ValueError: fewer frames than codes, or no codes.
        """
        from sklearn.cluster import MiniBatchKMeans

        if not 1 <= num_codes <= len(frames):
            raise ValueError(
                f"{len(frames)} training frames for {num_codes} codes; give more sound or fewer codes"
            )
        batch = max(BATCH, 2 * num_codes)
        model = MiniBatchKMeans(num_codes, batch_size=batch, n_init=STARTS, random_state=seed)
        return cls(features, model.fit(frames).cluster_centers_.astype(np.float32))

    def nearest(self, frames: np.ndarray) -> np.ndarray:
        """Index of the nearest centroid: frames (N, C), float32, to (N,) int64."""
        import torch

        from speechvq.quantizer import nearest_code

        return nearest_code(torch.from_numpy(frames), torch.from_numpy(self.centroids)).numpy()

    def encode(self, wave: np.ndarray) -> np.ndarray:
        """Codes of a sound: (T,), 16 kHz, to (N,) int64."""
        return self.nearest(self.features(wave))
