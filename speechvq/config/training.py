"""The `train` settings, the same for every model."""

from dataclasses import dataclass
from typing import Literal

from speechvq.config.bounds import bounded

MAIN_STAGE = "main"  # name of a run's last stage, which these settings are of


@dataclass(frozen=True)
class TrainConfig:
    """Optimization, averaging, evaluation and checkpoints of the main stage; all our choice."""

    steps: int = bounded(1, 10**9, 20_000)
    learning_rate: float = bounded(0, 10, 1e-3)  # peak, of Adam
    # factor of the encoder's learning rate; 0 freezes the encoder and, in speech, an EMA codebook
    encoder_lr_scale: float = bounded(0, 10, 1.0)
    warmup: int = bounded(0, 10**9, 200)  # steps of linear learning rate warm-up
    # last fraction of the steps, over which the learning rate decays linearly to zero
    lr_decay_fraction: float = bounded(0, 1, 0.3)
    grad_clip: float = bounded(1e-9, 1e9, 1.0)  # largest gradient norm
    ema_decay: float = bounded(0, 1, 0.999)  # of the averaged weights, which are evaluated and exported
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False  # image models only: torch.compile of encoder and decoder, a minute at the start
    seed: int = bounded(0, 2**62, 0)
    evaluate_every: int = bounded(1, 10**9, 500)  # steps
    num_eval_items: int = bounded(2, 65_536, 32)  # held-out crops, images, windows or strings
    save_every: int = bounded(1, 10**9, 500)  # steps
    keep_checkpoints: int = bounded(1, 10**6, 2)  # the newest ones
