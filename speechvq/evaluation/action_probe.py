"""Which action led from one frame to the next? A small classifier that has seen real frames only."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RATE = 1e-3


class ActionProbe(nn.Module):
    """Three strided convolutions over both frames at half their size, and a linear layer."""

    def __init__(self, actions: int, size: int) -> None:
        """
        Args:
            actions: how many there are.
            size: H = W, pixels.
        """
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(6, 32, 5, stride=2, padding=2), nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(64, 64, 3, stride=2, padding=1), nn.ReLU(),
        )  # fmt: skip
        side = -(-(size // 2) // 8)
        self.name = nn.Linear(64 * side * side, actions)

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Logits, (B, actions), of frames (B, 3, H, W), uint8."""
        both = F.avg_pool2d(torch.cat([before, after], 1).float(), 2) / 127.5 - 1
        return self.name(self.convolutions(both).flatten(1))


def fit_probe(
    pairs: Iterator[tuple[Tensor, Tensor, Tensor]], steps: int, actions: int, size: int, *, seed: int = 0
) -> ActionProbe:
    """Learn from real frames; the rate falls linearly to nothing.

    Args:
        pairs: frames before and after, (B, 3, H, W) uint8, and what was done between them, (B,) int64.
        steps: batches to learn from.
        actions: how many there are.
        size: H = W, pixels.
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
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return probe.eval()


@torch.no_grad()
def recovered(probe: ActionProbe, before: Tensor, after: Tensor, actions: Tensor) -> Tensor:
    """Whether the classifier names the action: frames (B, 3, H, W), uint8, and actions (B,) to (B,), bool."""
    parts = zip(before.split(256), after.split(256))
    return torch.cat([probe(some, others).argmax(1) for some, others in parts]) == actions
