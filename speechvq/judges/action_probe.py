"""Which action led from one frame to the next? A small classifier that has seen real frames only."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RATE = 2e-3
WARMUP = 50  # steps
ASIDE, UP = 8, 3  # pixels of the halved frames; by 5 to 7 of them a turn of 10 degrees moves what is seen


class ActionProbe(nn.Module):
    """Three convolutions over both frames and over how ill they match when one is moved, and a linear layer.

    Motion is what matters, and a network that sees two frames finds out only slowly how to compare them. So
    it is told the comparisons, as FlowNet's correlation layer tells them (Dosovitskiy et al. 2015).
    """

    def __init__(self, actions: int, size: int) -> None:
        """
        Args:
            actions: how many there are.
            size: H = W, pixels, a multiple of 4.
        """
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(6 + 2 * ASIDE + 1 + 2 * UP + 1, 32, 3, padding=1), nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(64, 64, 3, stride=2, padding=1), nn.ReLU(),
        )  # fmt: skip
        side = -(-size // 16)
        self.name = nn.Linear(64 * side * side, actions)

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Logits, (B, actions), of frames (B, 3, H, W), uint8."""
        before, after = (F.avg_pool2d(frames.float(), 2) / 127.5 - 1 for frames in (before, after))
        aside = shifted_differences(before, after, ASIDE)
        up = shifted_differences(before.mT, after.mT, UP).mT
        seen = torch.cat([before, after, 4 * aside - 1, 4 * up - 1], 1)  # all of about the same scale
        return self.name(self.convolutions(F.avg_pool2d(seen, 2)).flatten(1))


def shifted_differences(before: Tensor, after: Tensor, reach: int) -> Tensor:
    """How far the colours of a frame are from those aside of the same place in the other one.

    Args:
        before, after: (B, 3, H, W).
        reach: pixels aside, each way.

    Returns:
        (B, 2 reach + 1, H, W), mean absolute differences: [:, d] of `after` d - reach pixels to the right;
        beyond its edge it goes on as it ends.
    """
    width = before.shape[-1]
    wide = F.pad(after, (reach, reach, 0, 0), mode="replicate")
    each = [(before - wide[..., d : d + width]).abs().mean(1) for d in range(2 * reach + 1)]
    return torch.stack(each, 1)


def train_action_probe(
    pairs: Iterator[tuple[Tensor, Tensor, Tensor]], steps: int, actions: int, size: int, *, seed: int = 0
) -> ActionProbe:
    """Learn from real frames; after a warm-up the rate falls linearly to nothing.

    Args:
        pairs: frames before and after, (B, 3, H, W) uint8, and what was done between them, (B,) int64.
        steps: batches to learn from.
        actions: how many there are.
        size: H = W, pixels, a multiple of 4.
        seed: of the first weights.

    Returns:
        The classifier, in evaluation mode.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        probe = ActionProbe(actions, size)
    optimizer = torch.optim.Adam(probe.parameters(), lr=RATE)
    for step in range(steps):
        before, after, action = next(pairs)
        loss = F.cross_entropy(probe(before, after), action)
        optimizer.param_groups[0]["lr"] = RATE * min((step + 1) / WARMUP, 1 - step / steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return probe.eval()


@torch.no_grad()
def action_recognized(probe: ActionProbe, before: Tensor, after: Tensor, actions: Tensor) -> Tensor:
    """Whether the classifier names the action: frames (B, 3, H, W), uint8, and actions (B,) to (B,), bool."""
    parts = zip(before.split(256), after.split(256))
    return torch.cat([probe(some, others).argmax(1) for some, others in parts]) == actions
