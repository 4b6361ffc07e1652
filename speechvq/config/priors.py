"""Configuration of priors over code sequences.

The paper fits a WaveNet to the codes of speech and does not specify its size (van den Oord et al. 2017,
section 4.3); all sizes are our choice.
"""

from dataclasses import dataclass, field
from typing import Literal

from speechvq.config.bounds import bounded


@dataclass(frozen=True)
class DilatedStackConfig:
    """A WaveNet over codes: dilated causal gated convolutions."""

    stacks: int = bounded(1, 32, 2)
    layers: int = bounded(1, 14, 7)  # per stack, with dilations 1, 2, 4 ... 2^(layers - 1) codes
    residual_channels: int = bounded(1, 4096, 64)
    skip_channels: int = bounded(1, 4096, 128)
    hidden_channels: int = bounded(1, 4096, 128)  # between the sum of skip outputs and the logits


@dataclass(frozen=True)
class RecurrentStackConfig:
    """Layers of gated recurrent units (Cho et al. 2014)."""

    layers: int = bounded(1, 16, 1)
    hidden_size: int = bounded(1, 4096, 256)


@dataclass(frozen=True)
class SequencePriorConfig:
    """An autoregressive prior over code sequences."""

    kind: Literal["sequence"] = "sequence"
    network: Literal["wavenet", "gru"] = "wavenet"  # selects one of the two below
    wavenet: DilatedStackConfig = field(default_factory=DilatedStackConfig)
    gru: RecurrentStackConfig = field(default_factory=RecurrentStackConfig)
    speaker_dim: int = bounded(0, 4096, 0)  # width of the speaker embedding; 0 for a prior without speakers
    dropout: float = bounded(0, 0.9, 0.0)  # dropout probability of the network's outputs


@dataclass(frozen=True)
class CodesDataConfig:
    """The training data."""

    codes: str = ""  # codes directory, as written by `encode`
    manifest: str = ""  # speakers and splits; without one, 5 % of the utterances are held out
    crop: int = bounded(1, 1 << 20, 320)  # codes per crop; 320 are the paper's 40,960 samples
    batch: int = bounded(1, 65_536, 16)  # crops per step, over all processes
