"""A WaveNet's weights in the order and the form that the kernels read them."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from speechvq.errors import UserError
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling.kernels import LOG2_E, Weights
from speechvq.speech.sampling.matmul_kernels import NARROW, WIDE, pack_pairs, pack_panels


def pack(wavenet: WaveNet, streams: int, precision: Literal["fp32", "bf16"] = "fp32") -> Weights:
    """Weights for the kernels; the factors of tanh, sigmoid and the sum of skips are folded in.

    Args:
        wavenet: the decoder.
        streams: that will be sampled side by side; one is given wider panels.
        precision: of the products' weights.

    Raises:
        UserError: bf16 with an odd number of units, which are taken in pairs.
    """
    residual, layers, config = wavenet.config.residual_channels, list(wavenet.layers), wavenet.config
    if precision == "bf16" and (
        config.residual_channels % 2 or config.skip_channels % 2 or config.hidden_channels % 2
    ):
        raise UserError(
            "precision bf16 needs even wavenet.residual_channels, wavenet.skip_channels and wavenet.hidden_channels; take fp32"
        )
    exponent = torch.cat([torch.full((residual, 1), -2 * LOG2_E), torch.full((residual, 1), -LOG2_E)])
    scale = torch.ones(residual + config.skip_channels, 1)
    scale[residual:] = len(layers) ** -0.5
    width = WIDE if streams == 1 else NARROW
    panels = _panels(width, paired=precision == "bf16")
    far = _panels(NARROW, paired=precision == "bf16")
    gates = [(exponent * layer.gate.detach().cpu()).t() for layer in layers]
    return Weights(
        dilations=np.array([layer.dilation for layer in layers]),
        embedding=_plain(wavenet.embedding),
        phase_embedding=np.zeros((1, residual), np.float32)
        if wavenet.phase_embedding is None
        else _plain(wavenet.phase_embedding),
        past_tap=panels(*(gate[:residual] for gate in gates)),
        precomputed_past=far(*(gate[:residual] for gate in gates)) if streams == 1 else panels(),
        current_tap=panels(*(gate[residual:] for gate in gates)),
        out=panels(*((scale * layer.out.detach().cpu()).t() for layer in layers)),
        out_bias=_plain(torch.stack([scale[:, 0] * layer.out_bias.detach().cpu()[:, 0] for layer in layers])),
        hidden=panels(wavenet.hidden.weight.t()),
        hidden_bias=_plain(wavenet.hidden.bias),
        last=panels(wavenet.logits.weight.t()),
        last_bias=_plain(wavenet.logits.bias),
        width=width,
        paired=2 if precision == "bf16" else 1,
    )


def _panels(width: int, *, paired: bool) -> Callable[..., np.ndarray]:
    """What lays matrices (I, O) out, one after the other."""
    lay = pack_pairs if paired else pack_panels
    none = [np.empty(0, np.uint32 if paired else np.float32)]
    return lambda *matrices: np.concatenate(none + [lay(_plain(matrix), width) for matrix in matrices])


def _plain(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().cpu().numpy())
