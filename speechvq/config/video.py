"""Configuration of the prior over the next frame's codes.

The paper specifies neither layers nor sizes (van den Oord et al. 2017, section 4.4); all are our choice.
"""

from dataclasses import dataclass, field
from typing import Literal

from speechvq.config.bounds import bounded
from speechvq.config.pixelcnn import PixelCNNConfig
from speechvq.errors import UserError


@dataclass(frozen=True)
class MotionConfig:
    """The motion model, which warps the last frame; our choice."""

    # Per position, predicted from codes; 0 for a prior without motion.
    depth_features: int = bounded(0, 64, 0)
    channels: int = bounded(1, 4096, 48)  # of the network that predicts them
    blocks: int = bounded(0, 64, 4)  # of that network
    steps: int = bounded(1, 10**9, 2000)  # of pre-training; the motion model is frozen afterwards
    batch: int = bounded(1, 65_536, 16)  # windows per step of pre-training


@dataclass(frozen=True)
class VideoPriorConfig:
    """A PixelCNN over the next frame's codes, conditioned on past frames and the action."""

    kind: Literal["video_prior"] = "video_prior"
    context_frames: int = bounded(0, 64, 6)  # past frames; 6 as in the paper, 0 for none
    actions: bool = True  # condition the prior on the action
    channels: int = bounded(1, 4096, 64)  # of the context network
    # Of the context network: gated 3x3 convolutions with dilations 1, 2, 4, 1, 2, 4, ...
    blocks: int = bounded(0, 64, 6)
    # Fraction of past codes replaced at random in training; simulates the prior's own errors.
    context_noise: float = bounded(0, 1, 0.0)
    motion: MotionConfig = field(default_factory=MotionConfig)
    pixelcnn: PixelCNNConfig = field(
        default_factory=lambda: PixelCNNConfig(layers=4, channels=64, kernel_radius=1)
    )

    def __post_init__(self) -> None:
        """Check the combination of inputs.

        Raises:
            UserError: actions or motion without past frames, or classes.
        """
        if self.actions and not self.context_frames:
            raise UserError(
                "model.actions=true with model.context_frames=0: an action needs a past frame; set 1 or more"
            )
        if self.motion.depth_features and not self.context_frames:
            raise UserError(
                "model.motion.depth_features with model.context_frames=0: motion needs a past frame; "
                "set 1 or more"
            )
        if self.pixelcnn.class_conditional:
            raise UserError("model.pixelcnn.class_conditional=true: frames have no classes; leave it out")


@dataclass(frozen=True)
class VideoDataConfig:
    """The training data."""

    model: str = ""  # run or model directory of an image model
    root: str = ""  # recording, as written by `prepare maze` or `prepare doom`
    batch: int = bounded(1, 65_536, 8)  # frames per step, over all processes
