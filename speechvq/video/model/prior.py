"""The prior over the next frame's codes given past frames and the action (van den Oord et al. 2017, 4.4)."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from speechvq.config.video import VideoPriorConfig
from speechvq.errors import UserError
from speechvq.images.vqvae import ImageVQ
from speechvq.priors.grid.pixelcnn import CodeEmbedding, Grid, PixelCNN
from speechvq.priors.grid.sampling import sample_grids
from speechvq.priors.interface import PriorLosses
from speechvq.video.model.context import ContextNetwork
from speechvq.video.model.motion import Motion
from speechvq.video.world.interface import ACTIONS


class FrameCondition(NamedTuple):
    """What the next frame is conditioned on."""

    past: Tensor  # (B, context_frames, H, W, G), int64, codes, the oldest frame first
    action: Tensor  # (B,), int64, indices into ACTIONS; ignored by a prior without actions


class PriorConditioning(NamedTuple):
    """Inputs of the PixelCNN, computed once for each frame."""

    features: Tensor  # (B, H, W, C)
    prior_logits: Tensor | None  # (B, H, W, G, K); None for a prior without motion


class VideoPrior(nn.Module):
    """p(next frame | past frames, action) over grids of codes: a context network and a causal PixelCNN.

    The action and the past frames are optional. With motion, the last frame warped by the predicted motion is
    a further input.
    """

    def __init__(
        self, config: VideoPriorConfig, grid: Grid, source: str, image: ImageVQ | None = None
    ) -> None:
        """
        Args:
            config: sizes and inputs.
            grid: the shape of a frame's codes.
            source: fingerprint of the model that produces the codes.
            image: that model, for a prior with motion.

        Raises:
            UserError: a prior with motion has no VQ-VAE.
        """
        super().__init__()
        self.config, self.grid, self.source = config, grid, source
        self.context = ContextNetwork(config, grid, len(ACTIONS))
        has_motion = bool(config.motion.depth_features)
        self.pixelcnn = PixelCNN(config.pixelcnn, grid, config.channels, use_prior_logits=has_motion)
        self.motion = None
        if has_motion:
            if image is None:
                raise UserError(
                    "model.motion.depth_features needs the codes of a VQ-VAE; give its run: data.model"
                )
            self.motion = Motion(config, grid, image, len(ACTIONS))
            vector_width = grid.codes_per_position * image.config.quantizer.dim
            self.warp_proj = nn.Linear(vector_width + 1, config.channels)

    @torch.no_grad()
    def init_code_embeddings(self, vectors: Tensor) -> None:
        """Initialize the code embeddings and the output layer with random projections of a codebook; our
        choice.

        Similar codes then start with similar embeddings and logits. With independent random embeddings, the
        prior must first learn which codes are similar.

        Args:
            vectors: (K, G, D), float32, the codebook entries.
        """
        scaled = ((vectors - vectors.mean(0)) / vectors.std().clamp_min(1e-8)).unbind(1)
        motion_embedding = None if self.motion is None else self.motion.context.code_embedding
        for module in (self.context.code_embedding, self.pixelcnn.code_embedding, motion_embedding):
            if module is not None:
                _init_code_embedding(module, scaled)
        weight = self.pixelcnn.head.weight  # (G, hidden, K)
        width = weight.shape[1]
        weight.copy_(torch.stack([_random_projection(each, width).t() for each in scaled]) / width**0.5)

    def forward(self, codes: Tensor, actions: Tensor) -> PriorLosses:
        """The loss of the last frame of each window.

        Args:
            codes: (B, context_frames + 1, H, W, G), int64.
            actions: (B, context_frames), int64.
        """
        nll = self.nll(self._corrupt_context(codes[:, :-1]), _last(actions), codes[:, -1])
        mean = nll.mean() / codes[0, -1].numel()
        return PriorLosses(mean, mean.detach())

    def nll(self, past: Tensor, action: Tensor, codes: Tensor) -> Tensor:
        """Negative log-likelihood of the next frame's codes.

        Args:
            past: (B, context_frames, H, W, G), int64, the oldest frame first.
            action: (B,), int64, indices into ACTIONS; ignored by a prior without actions.
            codes: (B, H, W, G), int64.

        Returns:
            (B,), nats per frame.
        """
        conditioning = self.condition(past, action)
        return self.pixelcnn.nll(codes, conditioning.features, conditioning.prior_logits)

    def condition(self, past: Tensor, action: Tensor) -> PriorConditioning:
        """The PixelCNN's inputs for a past and an action; arguments as of `nll`."""
        features = self.context(past, action)
        if self.motion is None:
            return PriorConditioning(features, None)
        # Motion is trained on images before, so it gets no gradient here. In float32 also under autocast: the
        # nearest codebook entry must be the one that the encoder would choose.
        with torch.no_grad(), torch.autocast(past.device.type, enabled=False):
            vectors, visibility = self.motion.encode_warped(self.motion(past, action))
            prior_logits = self.motion.code_logits(vectors)
        warped = self.warp_proj(torch.cat([vectors.flatten(3), visibility], -1))
        return PriorConditioning(features + warped, prior_logits)

    def sample(
        self,
        uniforms: Tensor,
        condition: FrameCondition,
        *,
        temperature: float = 1.0,
        top_p: float = 1.0,
        on_step: Callable[[int], None] | None = None,
    ) -> Tensor:
        """Sample the next frame's codes (B, H, W, G); see `SamplingPrior.sample`."""
        conditioning = self.condition(condition.past, condition.action)
        return sample_grids(
            self.pixelcnn,
            uniforms,
            conditioning.features,
            conditioning.prior_logits,
            temperature=temperature,
            top_p=top_p,
            on_step=on_step,
        )

    def _corrupt_context(self, past: Tensor) -> Tensor:
        """Replace random codes in training mode, so that the prior learns to recover from its own errors."""
        if not self.training or not self.config.context_noise:
            return past
        replaced = torch.rand(past.shape, device=past.device) < self.config.context_noise
        return torch.where(replaced, torch.randint_like(past, self.grid.num_codes), past)


def _init_code_embedding(module: CodeEmbedding, vectors: tuple[Tensor, ...]) -> None:
    """Fill each table with a random projection of a codebook (K, D); the G codebooks repeat per frame."""
    width = module.embedding.embedding_dim
    tables = module.embedding.weight.view(-1, module.num_codes, width)
    chosen = (vectors[i % len(vectors)] for i in range(len(tables)))
    tables.copy_(torch.stack([_random_projection(each, width) for each in chosen]))


def _random_projection(vectors: Tensor, width: int) -> Tensor:
    """A random linear projection that keeps the scale: (K, D) of unit variance to (K, width)."""
    projection = torch.randn(vectors.shape[1], width, dtype=vectors.dtype, device=vectors.device)
    return vectors @ projection / vectors.shape[1] ** 0.5


def _last(actions: Tensor) -> Tensor:
    """The action before the last frame, (B,); zeros for windows of a single frame."""
    return actions[:, -1] if actions.shape[1] else actions.new_zeros(len(actions))
