"""Action recognition from two consecutive frames, by a small classifier trained on real frames."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEARNING_RATE = 2e-3
WARMUP_STEPS = 50
# Largest shifts in pixels of the halved frames; a turn of 10 degrees moves the image by 5 to 7 of them.
MAX_SHIFT_X, MAX_SHIFT_Y = 8, 3


class ActionProbe(nn.Module):
    """Convolutions over both frames and their shifted differences, and a linear layer.

    Actions show as motion, and a network that gets only two frames learns slowly to compare them. The
    comparisons are therefore inputs, as in the correlation layer of FlowNet (Dosovitskiy et al. 2015).
    """

    def __init__(self, actions: int, size: int) -> None:
        """
        Args:
            actions: number of actions.
            size: H = W, pixels, a multiple of 4.
        """
        super().__init__()
        channels = 6 + (2 * MAX_SHIFT_X + 1) + (2 * MAX_SHIFT_Y + 1)
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(64, 64, 3, stride=2, padding=1), nn.ReLU(),
        )  # fmt: skip
        side = -(-size // 16)
        self.classifier = nn.Linear(64 * side * side, actions)

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Logits, (B, actions), of frames (B, 3, H, W), uint8."""
        before, after = (F.avg_pool2d(frames.float(), 2) / 127.5 - 1 for frames in (before, after))
        horizontal = shifted_differences(before, after, MAX_SHIFT_X)
        vertical = shifted_differences(before.mT, after.mT, MAX_SHIFT_Y).mT
        inputs = torch.cat([before, after, 4 * horizontal - 1, 4 * vertical - 1], 1)  # of similar scale
        return self.classifier(self.convolutions(F.avg_pool2d(inputs, 2)).flatten(1))


def shifted_differences(before: Tensor, after: Tensor, max_shift: int) -> Tensor:
    """Mean absolute color difference between a frame and horizontally shifted copies of another frame.

    Args:
        before: (B, 3, H, W).
        after: (B, 3, H, W).
        max_shift: largest shift in pixels, in both directions.

    Returns:
        (B, 2 max_shift + 1, H, W); [:, d] compares with `after` d - max_shift pixels to the right. Beyond its
        edges, `after` is continued by its edge pixels.
    """
    width = before.shape[-1]
    padded = F.pad(after, (max_shift, max_shift, 0, 0), mode="replicate")
    differences = [(before - padded[..., d : d + width]).abs().mean(1) for d in range(2 * max_shift + 1)]
    return torch.stack(differences, 1)


def train_action_probe(
    batches: Iterator[tuple[Tensor, Tensor, Tensor]], steps: int, actions: int, size: int, *, seed: int = 0
) -> ActionProbe:
    """Train on real frames; the learning rate warms up and then decays linearly to 0.

    Args:
        batches: frames before and after, (B, 3, H, W), uint8, and the action between them, (B,), int64.
        steps: number of batches.
        actions: number of actions.
        size: H = W, pixels, a multiple of 4.
        seed: of the initialization.

    Returns:
        The classifier, in evaluation mode.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        probe = ActionProbe(actions, size)
    optimizer = torch.optim.Adam(probe.parameters(), lr=LEARNING_RATE)
    for step in range(steps):
        before, after, action = next(batches)
        loss = F.cross_entropy(probe(before, after), action)
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * min((step + 1) / WARMUP_STEPS, 1 - step / steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return probe.eval()


@torch.no_grad()
def action_recognized(probe: ActionProbe, before: Tensor, after: Tensor, actions: Tensor) -> Tensor:
    """Whether the classifier predicts the actions (B,) between frames (B, 3, H, W), uint8: (B,), bool."""
    batches = zip(before.split(256), after.split(256))
    return torch.cat([probe(first, second).argmax(1) for first, second in batches]) == actions
