"""N-gram models of code grids, over neighbors: the baselines of a PixelCNN."""

from collections.abc import Sequence

import numpy as np

from speechvq.priors.sequence.ngram import Ngram

NEIGHBORS = ((0, -1), (-1, 0), (-1, -1), (-1, 1))  # rows and columns away, most informative first
NAMES = ("left", "above", "above left", "above right")


class NeighborNgram(Ngram):
    """p(code | neighbors before it in raster order), with the smoothing of `Ngram`.

    The first context is the left neighbor, then the one above, above to the left and above to the right. The
    start symbol stands for neighbors outside of the grid.
    """

    def __init__(self, grids: np.ndarray, num_codes: int, order: int) -> None:
        """Fit the model.

        Args:
            grids: (B, H, W), integers in [0, K).
            num_codes: K.
            order: 0 for the uniform distribution, 1 for unigrams, 2 with the left neighbor, ..., at most 5.

        Raises:
            ValueError: there are no codes to count, or there is no such order.
        """
        if not 0 <= order <= len(NEIGHBORS) + 1:
            raise ValueError(f"expected an order of 0 to {len(NEIGHBORS) + 1}, got {order}")
        super().__init__(list(grids), num_codes, order)

    def nll_per_grid(self, grids: np.ndarray) -> np.ndarray:
        """Negative log-likelihood of grids (B, H, W) in nats: (B,), float64."""
        probabilities = self._probabilities(*self._windows(list(grids)))
        return -np.log(probabilities).reshape(len(grids), -1).sum(1)

    def _windows(self, sequences: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """The order - 1 neighbors of each code, (M, order - 1), and the codes, (M,)."""
        grids = np.stack(sequences).astype(np.int64)
        _, height, width = grids.shape
        padded = np.pad(grids, ((0, 0), (1, 0), (1, 1)), constant_values=self.num_codes)
        shifted = [
            padded[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width].ravel()
            for down, right in NEIGHBORS[: max(self.order - 1, 0)]
        ]
        history = np.stack(shifted, 1) if shifted else np.empty((grids.size, 0), np.int64)
        return history, grids.ravel()
