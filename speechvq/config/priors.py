"""Settings of priors over codes, and of the codes that they learn from.

The paper fits a WaveNet over the codes of speech and leaves its size open (van den Oord et al. 2017,
section 4.3); all sizes are our choice.
"""

from dataclasses import dataclass, field
from typing import Literal

from speechvq.config.bounds import bounded


@dataclass(frozen=True)
class DilatedStackConfig:
    """Dilated causal gated convolutions over codes: a WaveNet."""

    stacks: int = bounded(1, 32, 2)
    layers: int = bounded(1, 14, 7)  # a stack has dilations 1, 2, 4 ... 2^(layers - 1), in codes
    residual_channels: int = bounded(1, 4096, 64)
    skip_channels: int = bounded(1, 4096, 128)
    hidden_channels: int = bounded(1, 4096, 128)  # units between the skip sum and the logits


@dataclass(frozen=True)
class RecurrentStackConfig:
    """Gated recurrent units (Cho et al. 2014), layer upon layer."""

    layers: int = bounded(1, 16, 1)
    hidden_size: int = bounded(1, 4096, 256)


@dataclass(frozen=True)
class SequencePriorConfig:
    """An autoregressive model of code strings."""

    kind: Literal["sequence"] = "sequence"
    network: Literal["wavenet", "gru"] = "wavenet"  # which of the two below
    wavenet: DilatedStackConfig = field(default_factory=DilatedStackConfig)
    gru: RecurrentStackConfig = field(default_factory=RecurrentStackConfig)
    speaker_dim: int = bounded(0, 4096, 0)  # width of a speaker's vector; 0: the prior is told no speaker
    dropout: float = bounded(0, 0.9, 0.0)  # share of the network's outputs left out in training


@dataclass(frozen=True)
class CodesDataConfig:
    """Which codes are read and how they are cut."""

    codes: str = ""  # codes directory, as `encode` makes it
    manifest: str = ""  # who speaks and what is held out; without one 5 % are held out by their names
    crop: int = bounded(1, 1 << 20, 320)  # codes; 320 are the paper's 40,960 samples
    batch: int = bounded(1, 65_536, 16)  # crops a step, over all processes
