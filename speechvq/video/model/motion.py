"""A motion model that predicts the next frame by warping the last one; our choice.

The paper's prior sees past frames as codes (van den Oord et al. 2017, section 4.4). A code covers four
pixels, and most motion is smaller: after a shift of one pixel half of the codes differ. The last frame's
image is therefore warped, as in spatial transformers (Jaderberg et al. 2015) and in video prediction for
robots (Finn et al. 2016), and encoded again by the image model.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.config.video import VideoPriorConfig
from speechvq.images.vqvae import ImageVQ
from speechvq.priors.grid.pixelcnn import Grid
from speechvq.video.model.context import ContextNetwork

MAX_CONTEXT_FRAMES = 2  # two frames suffice to estimate depth and the previous motion
LOSS_SCALES = (1, 2, 4, 8)  # pixels; at coarse scales, objects overlap even after a large motion


class WarpedFrame(NamedTuple):
    """Images of the next frame, predicted by warping the last one."""

    images: Tensor  # (B, 3, S, S), float in [0, 255]
    visibility: Tensor  # (B, 1, S, S), float: 0 for pixels from outside the last frame, else 1


class Motion(nn.Module):
    """Predicts optical flow from the action and from depth features, trained on images without labels.

    A rotation moves a point depending on its position alone; a translation moves near points more. The flow
    is a bias for each action and position, plus a basis for each weighted by features of the past frames'
    codes.
    """

    def __init__(self, config: VideoPriorConfig, grid: Grid, image: ImageVQ, num_actions: int) -> None:
        """
        Args:
            config: sizes, and whether the action is an input.
            grid: the shape of a frame's codes.
            image: the image model of the codes; it is frozen.
            num_actions: number of possible actions.
        """
        super().__init__()
        self.image = image.requires_grad_(False).eval()
        context = VideoPriorConfig(
            context_frames=min(MAX_CONTEXT_FRAMES, config.context_frames),
            actions=config.actions,
            channels=config.motion.channels,
            blocks=config.motion.blocks,
        )
        self.context = ContextNetwork(context, grid, num_actions)
        self.depth_features = nn.Linear(context.channels, config.motion.depth_features)
        actions = num_actions if config.actions else 1
        self.flow_bias = nn.Parameter(torch.zeros(actions, 2, grid.height, grid.width))
        outward = _coordinates(self.flow_bias)  # (1, 2, H, W): moving forward moves everything outward
        noise = 0.1 * torch.randn(actions, 2, config.motion.depth_features, grid.height, grid.width)
        self.flow_basis = nn.Parameter(noise * outward[:, :, None])

    def train(self, mode: bool = True) -> "Motion":
        """Set the training mode; the frozen image model stays in evaluation mode."""
        super().train(mode)
        self.image.eval()
        return self

    def forward(self, past: Tensor, action: Tensor) -> WarpedFrame:
        """Warp the last frame.

        Args:
            past: (B, context_frames, H, W, G), int64, codes, the oldest frame first.
            action: (B,), int64, the action after the last frame.
        """
        context = past[:, past.shape[1] - self.context.context_frames :]
        depth = self.depth_features(self.context(context, action))
        action = action if len(self.flow_bias) > 1 else torch.zeros_like(action)
        flow = self.flow_bias[action] + torch.einsum("bdnhw,bhwn->bdhw", self.flow_basis[action], depth)
        with torch.no_grad():
            last = self.image.decode(past[:, -1]).to(flow.dtype)
        sources = _coordinates(last) + F.interpolate(flow, size=last.shape[2:], mode="bilinear")
        grid = sources.permute(0, 2, 3, 1)
        images = F.grid_sample(last, grid, padding_mode="border", align_corners=False)
        return WarpedFrame(images, (sources.abs() <= 1).all(1, keepdim=True).to(flow.dtype))

    def loss(self, codes: Tensor, actions: Tensor) -> Tensor:
        """The error of the warped frame against the next frame.

        Args:
            codes: (B, context_frames + 1, H, W, G), int64; the last frame is the target.
            actions: (B, context_frames), int64; only the last action is used.

        Returns:
            (), mean absolute difference of sub-pixels in [0, 1], summed over LOSS_SCALES.
        """
        warped = self(codes[:, :-1], actions[:, -1])
        with torch.no_grad():
            target = self.image.decode(codes[:, -1]).to(warped.images.dtype)
        error = (warped.images - target) / 255
        return torch.stack([F.avg_pool2d(error, scale).abs().mean() for scale in LOSS_SCALES]).sum()

    def encode_warped(self, warped: WarpedFrame) -> tuple[Tensor, Tensor]:
        """Encode warped images.

        Returns:
            The encoder's vectors, (B, H, W, G, D), and the visible fraction of each position, (B, H, W, 1).
        """
        vectors = self.image.encoder(warped.images)
        visibility = F.adaptive_avg_pool2d(warped.visibility, vectors.shape[1:3]).permute(0, 2, 3, 1)
        return vectors, visibility

    def code_logits(self, vectors: Tensor) -> Tensor:
        """Minus the squared distance to every codebook entry: (B, H, W, G, D) to (B, H, W, G, K)."""
        entries = self.image.entries().to(vectors.dtype)  # (K, G, D)
        products = torch.einsum("bhwgd,kgd->bhwgk", vectors, entries)
        squared_norms = entries.square().sum(-1).t()  # (G, K)
        return 2 * products - squared_norms - vectors.square().sum(-1, keepdim=True)


def _coordinates(like: Tensor) -> Tensor:
    """x and y of each position of a map (..., H, W), in grid_sample's range -1 to 1: (1, 2, H, W)."""
    identity = torch.eye(2, 3, dtype=like.dtype, device=like.device)[None]
    return F.affine_grid(identity, [1, 1, *like.shape[-2:]], align_corners=False).permute(0, 3, 1, 2)
