"""Settings of the prior over the next frame's codes, and of the recordings that it learns from.

The paper names neither layers nor sizes (van den Oord et al. 2017, section 4.4); all are our choice.
"""

from dataclasses import dataclass, field
from typing import Literal

from speechvq.config.bounds import bounded
from speechvq.config.pixelcnn import PixelCNNConfig
from speechvq.errors import UserError


@dataclass(frozen=True)
class MotionConfig:
    """How the last frame's picture will have moved; all our choice."""

    depth_features: int = bounded(
        0, 64, 0
    )  # numbers that a network reads at every position; 0: no motion is told
    channels: int = bounded(1, 4096, 48)  # of that network
    blocks: int = bounded(0, 64, 4)  # of it, as the prior's own
    steps: int = bounded(1, 10**9, 2000)  # of learning it, before the prior's own; then it is held
    batch: int = bounded(1, 65_536, 16)  # frames a step of these


@dataclass(frozen=True)
class VideoPriorConfig:
    """A PixelCNN over the next frame's codes, told the frames before and what is done."""

    kind: Literal["video_prior"] = "video_prior"
    context_frames: int = bounded(0, 64, 6)  # frames before, as in the paper; 0: every frame by itself
    actions: bool = True  # whether it is told the action
    channels: int = bounded(1, 4096, 64)  # of the network that reads what is told
    blocks: int = bounded(0, 64, 6)  # of it: gated convolutions 3x3 with dilations 1, 2, 4, 1, 2, 4, ...
    # share of the past's codes that are replaced at random in training, as its own mistakes will be
    context_noise: float = bounded(0, 1, 0.0)
    motion: MotionConfig = field(default_factory=MotionConfig)
    pixelcnn: PixelCNNConfig = field(
        default_factory=lambda: PixelCNNConfig(layers=4, channels=64, kernel_radius=1)
    )

    def __post_init__(self) -> None:
        """Raises UserError for actions or motion without frames in which they are, and for classes."""
        if self.actions and not self.context_frames:
            raise UserError(
                "model.actions=true with model.context_frames=0: an action changes a frame, so tell one or more"
            )
        if self.motion.depth_features and not self.context_frames:
            raise UserError(
                "model.motion.depth_features with model.context_frames=0: nothing is there to move; tell one or more"
            )
        if self.pixelcnn.class_conditional:
            raise UserError("model.pixelcnn.class_conditional=true: frames have no classes; leave it out")


@dataclass(frozen=True)
class VideoDataConfig:
    """Whose codes of which recording are read."""

    model: str = ""  # run or model directory of an image model
    root: str = ""  # recording, as `prepare maze` or `prepare doom` makes it
    batch: int = bounded(1, 65_536, 8)  # frames a step, over all processes
