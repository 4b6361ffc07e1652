"""The weights of a WaveNet in the order and layout that the kernels read."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from speechvq.errors import UserError
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling.kernels import LOG2_E, Weights
from speechvq.speech.sampling.matmul_kernels import NARROW, WIDE, pack_pairs, pack_panels
from speechvq.speech.sampling.request import Precision


def pack(wavenet: WaveNet, streams: int, precision: Precision = "fp32") -> Weights:
    """Weights for the kernels, with the factors of tanh, sigmoid and the sum of skips folded in.

    Args:
        wavenet: the decoder.
        streams: number of streams sampled side by side; one stream gets wider panels.
        precision: of the matrices.

    Raises:
        UserError: bf16 with an odd number of channels, because inputs are packed in pairs.
    """
    residual, layers, config = wavenet.config.residual_channels, list(wavenet.layers), wavenet.config
    if precision == "bf16" and (
        config.residual_channels % 2 or config.skip_channels % 2 or config.hidden_channels % 2
    ):
        raise UserError(
            "precision bf16 needs even wavenet.residual_channels, wavenet.skip_channels and "
            "wavenet.hidden_channels; use fp32"
        )
    exponent = torch.cat([torch.full((residual, 1), -2 * LOG2_E), torch.full((residual, 1), -LOG2_E)])
    scale = torch.ones(residual + config.skip_channels, 1)
    scale[residual:] = len(layers) ** -0.5
    width = WIDE if streams == 1 else NARROW
    panels = _panels(width, paired=precision == "bf16")
    narrow_panels = _panels(NARROW, paired=precision == "bf16")
    gates = [(exponent * layer.gate.detach().cpu()).t() for layer in layers]
    phases = wavenet.phase_embedding
    phase_embedding = np.zeros((1, residual), np.float32) if phases is None else _numpy(phases)
    return Weights(
        dilations=np.array([layer.dilation for layer in layers]),
        embedding=_numpy(wavenet.embedding),
        phase_embedding=phase_embedding,
        past_tap=panels(*(gate[:residual] for gate in gates)),
        precomputed_past=narrow_panels(*(gate[:residual] for gate in gates)) if streams == 1 else panels(),
        current_tap=panels(*(gate[residual:] for gate in gates)),
        out=panels(*((scale * layer.out.detach().cpu()).t() for layer in layers)),
        out_bias=_numpy(torch.stack([scale[:, 0] * layer.out_bias.detach().cpu()[:, 0] for layer in layers])),
        hidden=panels(wavenet.hidden.weight.t()),
        hidden_bias=_numpy(wavenet.hidden.bias),
        last=panels(wavenet.logits.weight.t()),
        last_bias=_numpy(wavenet.logits.bias),
        width=width,
        inputs_per_row=2 if precision == "bf16" else 1,
    )


def _panels(width: int, *, paired: bool) -> Callable[..., np.ndarray]:
    """A function that packs matrices (I, O) into panels, one after the other."""
    pack_one = pack_pairs if paired else pack_panels
    empty = [np.empty(0, np.uint32 if paired else np.float32)]
    return lambda *matrices: np.concatenate(empty + [pack_one(_numpy(matrix), width) for matrix in matrices])


def _numpy(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().cpu().numpy())
