"""A time-varying all-pole filter frame by frame, for runtimes in which a step per sample is too slow.

Within a frame the taps are constant, so its output is the response to the frame's own input, from zeros, plus
the response to the P outputs before it. The first part is computed for all frames at once. The second part
needs a step per frame, in which only the last P outputs are carried over:

    y = y0 + H u,    u = U s,    s' = y0_tail + (H U)_tail s

s are the outputs before the frame, U turns them into an equivalent input of its first P samples, and H holds
the impulse response.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._higher_order_ops.scan import scan


def all_pole_by_frames(excitation: Tensor, taps: Tensor) -> Tensor:
    """Filter from silence: y[t] = x[t] + sum of taps[j] y[t - 1 - j].

    Args:
        excitation: (B, L, n), float64, n samples per frame.
        taps: (B, L, P), float64, the tap of the newest sample first; P <= n.

    Returns:
        (B, L, n), float64.
    """
    count, order = excitation.shape[2], taps.shape[2]
    impulse = torch.zeros_like(excitation)
    impulse = torch.cat([impulse[..., :1] + 1, impulse[..., 1:]], dim=-1)
    own, response = _from_zeros(torch.stack([excitation, impulse], dim=-1), taps).unbind(-1)
    positions, lags = torch.arange(count)[:, None], torch.arange(order)
    shifted = F.pad(response, (order, 0))[:, :, positions - lags + order]  # H, (B, L, n, P)
    equivalent = F.pad(taps, (0, order))[:, :, lags[:, None] + lags]  # U, (B, L, P, P)
    newest_first = count - 1 - torch.arange(order)
    carried = shifted[:, :, newest_first] @ equivalent
    before = _outputs_before(own[:, :, newest_first], carried)
    return own + (shifted @ (equivalent @ before.unsqueeze(-1))).squeeze(-1)


def _from_zeros(inputs: Tensor, taps: Tensor) -> Tensor:
    """Responses of each frame alone: (B, L, n, 2) to (B, L, n, 2)."""

    def step(state: tuple[Tensor, Tensor], current: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        past, taps = state  # (B, L, 2, P), newest first; (B, L, 1, P)
        output = current + (past * taps).sum(-1)
        return (torch.cat([output.unsqueeze(-1), past[..., :-1]], dim=-1), taps.clone()), output.clone()

    past = torch.zeros_like(taps).unsqueeze(2) * inputs[:, :, 0, :, None]
    _, outputs = scan(step, (past, taps.unsqueeze(2).clone()), inputs.permute(2, 0, 1, 3).clone(), dim=0)
    return outputs.permute(1, 2, 0, 3)


def _outputs_before(tails: Tensor, carried: Tensor) -> Tensor:
    """The P outputs before each frame, newest first: (B, L, P) and (B, L, P, P) to (B, L, P)."""

    def step(before: Tensor, current: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        tail, matrix = current
        return tail + (matrix @ before.unsqueeze(-1)).squeeze(-1), before.clone()

    frames = (tails.transpose(0, 1).clone(), carried.transpose(0, 1).clone())
    _, outputs = scan(step, torch.zeros_like(tails[:, 0]), frames, dim=0)
    return outputs.transpose(0, 1)
