"""F0 prediction: a contour for codes without a source recording."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.audio.f0_conditioning import REFERENCE_F0, f0_features
from speechvq.runtime import distributed
from speechvq.speech.frame_network import FrameNetwork

NUM_LAYERS = 6  # with doubling dilation: a context of 63 codes on each side
MAX_OCTAVES = 2.0  # largest distance of a predicted F0 from REFERENCE_F0


class F0Predictor(nn.Module):
    """Predicts voicing and F0 of each code from codes and speaker (our choice).

    A conversion takes the F0 contour of its source. Codes that a prior samples have no source. The network is
    trained together with the source-filter model, and sends no gradients to codes or speaker embeddings.
    """

    def __init__(self, dim: int, speaker_dim: int, channels: int = 64) -> None:
        """
        Args:
            dim: D, width of the code vectors.
            speaker_dim: V, width of the speaker embedding.
            channels: of each layer.
        """
        super().__init__()
        self.network = FrameNetwork(
            dim,
            speaker_dim,
            channels,
            depth=NUM_LAYERS,
            condition_on_f0=False,
            dilations=[2**i for i in range(NUM_LAYERS)],
        )
        self.f0_head = nn.Conv1d(channels, 2, 1)

    def forward(self, vectors: Tensor, speaker_embedding: Tensor, num_frames: Tensor | None = None) -> Tensor:
        """F0 in octaves above REFERENCE_F0 and voicing logits, (B, 2, N); arguments as in `FrameNetwork`."""
        return self.f0_head(self.network(vectors, speaker_embedding, None, num_frames))

    def loss(self, vectors: Tensor, speaker_embedding: Tensor, f0: Tensor) -> Tensor:
        """Cross entropy of voicing (nats) plus mean absolute F0 error of voiced codes (octaves), ().

        Args:
            vectors: (B, N, D), quantized; detached.
            speaker_embedding: (B, V); detached.
            f0: (B, N), Hz, 0 where unvoiced.
        """
        octaves, logits = self(vectors.detach(), speaker_embedding.detach()).unbind(1)
        target, voiced = f0_features(f0).unbind(1)
        num_voiced = distributed.mean_over_processes(voiced.sum()).clamp_min(1.0)
        error = ((octaves - target).abs() * voiced).sum() / num_voiced
        return F.binary_cross_entropy_with_logits(logits, voiced) + error

    @torch.no_grad()
    def predict_f0(
        self, vectors: Tensor, speaker_embedding: Tensor, num_frames: Tensor | None = None
    ) -> Tensor:
        """F0 of each code, Hz, 0 where unvoiced is more probable: (B, N); arguments as in `FrameNetwork`."""
        octaves, logits = self(vectors, speaker_embedding, num_frames).unbind(1)
        octaves = octaves.clamp(-MAX_OCTAVES, MAX_OCTAVES)
        return torch.where(logits > 0, REFERENCE_F0 * 2.0**octaves, 0.0)
