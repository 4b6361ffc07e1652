"""How long and how fast to learn, the same for every model."""

from dataclasses import dataclass
from typing import Literal

from speechvq.config.bounds import bounded


@dataclass(frozen=True)
class TrainConfig:
    """How long and how fast to learn; all our choice."""

    steps: int = bounded(1, 10**9, 20_000)
    learning_rate: float = bounded(0, 10, 1e-3)
    encoder_lr_scale: float = bounded(
        0, 10, 1.0
    )  # the encoder's share of the rate; 0 leaves encoder and, in speech, codebook as they began
    warmup: int = bounded(0, 10**9, 200)  # steps of rising rate
    lr_decay_fraction: float = bounded(
        0, 1, 0.3
    )  # last share of the steps, over which the rate falls linearly to zero
    grad_clip: float = bounded(1e-9, 1e9, 1.0)  # largest gradient norm
    ema_decay: float = bounded(0, 1, 0.999)  # decay of the averaged weights that are evaluated and exported
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False  # image models only: encoder and decoder by torch.compile, a minute at the start
    seed: int = bounded(0, 2**62, 0)
    evaluate_every: int = bounded(1, 10**9, 500)  # steps
    num_eval_items: int = bounded(2, 65_536, 32)
    save_every: int = bounded(1, 10**9, 500)  # steps
    keep_checkpoints: int = bounded(1, 10**6, 2)  # checkpoints kept
