"""The melody of what was never said: a pitch contour from codes and voice alone."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.audio.f0_conditioning import REFERENCE_F0, f0_features
from speechvq.speech.source_filter.frame_network import FrameNetwork

NUM_LAYERS = 6  # layers, each looking twice as far as the last: 63 codes to either side


class Intonation(nn.Module):
    """Whether each code is voiced, and at which pitch in the mean (our choice).

    A conversion takes the contour of its source; codes that a prior drew have none. It learns beside harmonics and
    filter, and moves neither the codes nor the voices.
    """

    def __init__(self, dim: int, speaker_dim: int, channels: int = 64) -> None:
        super().__init__()
        self.network = FrameNetwork(dim, speaker_dim, channels, depth=NUM_LAYERS, pitch=False, dilated=True)
        self.f0_head = nn.Conv1d(channels, 2, 1)

    def forward(self, vectors: Tensor, speaker_vectors: Tensor, frames: Tensor | None = None) -> Tensor:
        """Octaves from 150 Hz and the log odds of a voice, (B, 2, N); arguments as of `FrameNetwork`."""
        return self.f0_head(self.network(vectors, speaker_vectors, None, frames))

    def loss(self, vectors: Tensor, speaker_vectors: Tensor, f0: Tensor) -> Tensor:
        """Cross entropy of the voicing, nats, and mean absolute error of the voiced pitch, octaves: their sum, ().

        Args:
            vectors, voices: as of `FrameNetwork`; they do not learn from it.
            pitch: (B, N), Hz, 0 where unvoiced.
        """
        octaves, odds = self(vectors.detach(), speaker_vectors.detach()).unbind(1)
        wanted, voiced = f0_features(f0).unbind(1)
        missed = ((octaves - wanted).abs() * voiced).sum() / voiced.sum().clamp_min(1.0)
        return F.binary_cross_entropy_with_logits(odds, voiced) + missed

    @torch.no_grad()
    def predict_f0(self, vectors: Tensor, voices: Tensor, frames: Tensor | None = None) -> Tensor:
        """Pitch of each code, Hz, 0 where it is more likely unvoiced: (B, N)."""
        octaves, odds = self(vectors, voices, frames).unbind(1)
        return torch.where(odds > 0, REFERENCE_F0 * 2.0 ** octaves.clamp(-2, 2), 0.0)
