"""The prior over the next frame's codes, given the past and the action (van den Oord et al. 2017, 4.4)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from speechvq.config.video import VideoPriorConfig
from speechvq.errors import UserError
from speechvq.images.vqvae import ImageVQ
from speechvq.priors.grid.pixelcnn import Grid, PixelCNN
from speechvq.priors.grid.sampling import sample_grids
from speechvq.priors.interface import PriorLosses
from speechvq.video.model.context import ContextNetwork
from speechvq.video.model.motion import Motion
from speechvq.video.world.interface import ACTIONS


class PriorConditioning(NamedTuple):
    """What the codes of the next frame are told."""

    context: Tensor  # (B, H, W, C)
    prior_logits: Tensor | None  # (B, H, W, G, K): logits, of a prior that sees the last frame move


class VideoPrior(nn.Module):
    """p(frame | frames before, action) over grids of codes: a context that sees the past, a causal PixelCNN.

    Told no action, it is p(frame | frames before); told no past either, p(frame). With motion it is shown the
    last frame as it will have moved, too.
    """

    def __init__(
        self, config: VideoPriorConfig, grid: Grid, source: str, image: ImageVQ | None = None
    ) -> None:
        """
        Args:
            config: sizes, and what is told.
            grid: the shape of a frame's codes.
            source: fingerprint of the model whose codes these are.
            image: that model, for a prior with motion.

        Raises:
            UserError: motion, and no VQ-VAE.
        """
        super().__init__()
        self.config, self.grid, self.source = config, grid, source
        self.context = ContextNetwork(config, grid, len(ACTIONS))
        self.pixelcnn = PixelCNN(
            config.pixelcnn, grid, config.channels, use_prior_logits=bool(config.motion.depth_features)
        )
        self.motion = None
        if config.motion.depth_features:
            if image is None:
                raise UserError(
                    "model.motion.depth_features wants the codes of a VQ-VAE; give one's run: data.model"
                )
            self.motion = Motion(config, grid, image, len(ACTIONS))
            self.warp_proj = nn.Linear(
                grid.codes_per_position * image.config.quantizer.dim + 1, config.channels
            )

    @torch.no_grad()
    def init_code_embeddings(self, vectors: Tensor) -> None:
        """Begin with what the codes look like: codes of like vectors are read and told alike from the start.

        The tables and the last matrix become random projections of the image model's own codebook, our
        choice. From random ones the prior would first have to find out which codes are nearly the same.

        Args:
            vectors: (K, G, D), float32, the entries of each codebook.
        """
        scaled = ((vectors - vectors.mean(0)) / vectors.std().clamp_min(1e-8)).unbind(1)
        moving = None if self.motion is None else self.motion.context.code_embedding
        for read in (self.context.code_embedding, self.pixelcnn.code_embedding, moving):
            if read is not None:
                rows = read.embedding.weight.view(-1, len(vectors), read.embedding.embedding_dim)
                own = (scaled[i % len(scaled)] for i in range(len(rows)))
                rows.copy_(torch.stack([_projected(each, rows.shape[-1]) for each in own]))
        logits = self.pixelcnn.head.weight  # (G, hidden, K)
        width = logits.shape[1]
        logits.copy_(torch.stack([_projected(each, width).t() for each in scaled]) / width**0.5)

    def forward(self, codes: Tensor, actions: Tensor) -> PriorLosses:
        """The loss of the last of some frames: codes (B, past + 1, H, W, G) and actions (B, past), int64."""
        each = self.nll(self._corrupt_context(codes[:, :-1]), _last(actions), codes[:, -1])
        nats = each.mean() / codes[0, -1].numel()
        return PriorLosses(nats, nats.detach())

    def nll(self, past: Tensor, action: Tensor, codes: Tensor) -> Tensor:
        """-log p(codes | past, action), nats a frame.

        Args:
            past: (B, past, H, W, G), int64, the oldest frame first.
            action: (B,), int64, places in world.ACTIONS; of no account to a prior that is not told it.
            codes: (B, H, W, G), int64.

        Returns:
            (B,).
        """
        told = self.condition(past, action)
        return self.pixelcnn.nll(codes, told.context, told.prior_logits)

    def condition(self, past: Tensor, action: Tensor) -> PriorConditioning:
        """What a past and an action, as of `nats`, say of the next frame before its first code."""
        context = self.context(past, action)
        if self.motion is None:
            return PriorConditioning(context, None)
        # Motion has learnt by pictures, so no gradient goes back through it; and in full precision, for the
        # nearest entry is to be the one that encoding would have taken.
        with torch.no_grad(), torch.autocast(past.device.type, enabled=False):
            vectors, known = self.motion.encode_warped(self.motion(past, action))
            guess = self.motion.code_logits(vectors)
        shown = self.warp_proj(torch.cat([vectors.flatten(3), known], -1))
        return PriorConditioning(context + shown, guess)

    def sample(
        self, past: Tensor, action: Tensor, uniforms: Tensor, *, temperature: float = 1.0, top_p: float = 1.0
    ) -> Tensor:
        """Draw the next frame, (B, H, W, G): the context once, then the cached sampler.

        Args:
            past, action: as of `nats`.
            uniforms: (B, H, W, G) in [0, 1), one for each code.
            temperature, top_p: sharpen the choice of every code, see `categorical.draw`.
        """
        told = self.condition(past, action)
        return sample_grids(
            self.pixelcnn, uniforms, told.context, told.prior_logits, temperature=temperature, top_p=top_p
        )

    def _corrupt_context(self, past: Tensor) -> Tensor:
        """In training some of the past's codes become any others: one mistake shall not lead to more."""
        if not self.training or not self.config.context_noise:
            return past
        wrong = torch.rand(past.shape, device=past.device) < self.config.context_noise
        return torch.where(wrong, torch.randint_like(past, self.grid.num_codes), past)


def _projected(vectors: Tensor, width: int) -> Tensor:
    """A random linear image of vectors (K, D) of unit scale, of the same scale, (K, width)."""
    drawn = torch.randn(vectors.shape[1], width, dtype=vectors.dtype, device=vectors.device)
    return vectors @ drawn / vectors.shape[1] ** 0.5


def _last(actions: Tensor) -> Tensor:
    """What led to the last frame, (B,); of a single frame nobody asks."""
    return actions[:, -1] if actions.shape[1] else actions.new_zeros(len(actions))
