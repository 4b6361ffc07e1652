"""Stages of a training run: what each minimizes, which parameters learn, on which batches, for how long."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from torch import Tensor, nn

from speechvq.config import TrainConfig
from speechvq.config.training import MAIN_STAGE
from speechvq.errors import UserError
from speechvq.runtime import distributed


class Losses(Protocol):
    """The losses of one batch, a NamedTuple.

    `total` is minimized; the mean of every other field is logged under its name.

    Two names have a meaning of their own. `nats` is -log p per dimension of the modeled data; progress lines
    show it in bits. `usage`, (K,), holds the code counts of the batch; perplexity and active codes are logged
    instead of it.
    """

    @property
    def total(self) -> Tensor:
        """The minimized loss, ()."""

    def _asdict(self) -> dict[str, Tensor]:
        """All fields by name."""


class PretrainingLosses(NamedTuple):
    """The losses of a stage that models no likelihood."""

    total: Tensor  # (), minimized
    loss: Tensor  # (), logged, without gradient


Batches = Callable[[int], Iterator[tuple[Tensor, ...]]]
Evaluate = Callable[[nn.Module], dict[str, float]]


class ParameterGroup(NamedTuple):
    """Parameters that learn at a common multiple of the stage's learning rate."""

    parameters: Sequence[nn.Parameter]
    lr_scale: float = 1.0


@dataclass(frozen=True)
class Schedule:
    """Learning rate of each step: linear warm-up, plateau, linear decay to zero at the last step.

    Args:
        peak: the learning rate of the plateau.
        steps: number of steps.
        warmup: steps of the linear warm-up.
        decay_fraction: the last fraction of the steps, over which the rate decays.
    """

    peak: float
    steps: int
    warmup: int
    decay_fraction: float

    def __call__(self, step: int) -> float:
        """The learning rate of update `step`, counted from 0."""
        rise = (step + 1) / max(self.warmup, 1)
        fall = (self.steps - step) / max(self.decay_fraction * self.steps, 1)
        return self.peak * min(1.0, rise, fall)


@dataclass(frozen=True)
class Stage:
    """One stage of a run. The loop trains, logs, saves and resumes every stage alike.

    Args:
        name: written to the metrics log.
        steps: number of updates; 0 for a stage that only initializes.
        batches: endless batches from a step of this stage on; equal steps give equal batches.
        losses: called with the tensors of a batch.
        groups: the parameters that learn; all others of the model are frozen during the stage.
        learning_rate: maps a step, counted from 0, to the learning rate of the groups of scale 1.
        initialize: sets parameters once, before the first step; its result is checkpointed.
        evaluate: measures the model on held-out data; None for a stage that is not evaluated.
        eval_modules: modules that stay in evaluation mode during the stage.
        warmup: steps after which a collapsed codebook or posterior is worth a warning.
        ema_decay: decay of the averaged weights; None for a stage without an average.
        grad_clip: largest gradient norm.
        betas: decay of the moments of Adam.
        precision: of forward and backward pass.
        fused: whether Adam runs as one fused kernel, which rounds differently.
    """

    name: str
    steps: int
    batches: Batches
    losses: Callable[..., Losses]
    groups: Sequence[ParameterGroup]
    learning_rate: Callable[[int], float]
    initialize: Callable[[], None] | None = None
    evaluate: Evaluate | None = None
    eval_modules: Sequence[nn.Module] = ()
    warmup: int = 0
    ema_decay: float | None = None
    grad_clip: float = math.inf
    betas: tuple[float, float] = (0.9, 0.999)
    precision: Literal["fp32", "bf16"] = "fp32"
    fused: bool = False

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The parameters of all groups."""
        return [parameter for group in self.groups for parameter in group.parameters]


def main_stage(
    model: nn.Module,
    batches: Batches,
    evaluate: Evaluate,
    config: TrainConfig,
    *,
    frozen: Sequence[nn.Module] = (),
    eval_modules: Sequence[nn.Module] = (),
) -> Stage:
    """The stage that `train` ends with: the whole model by its own loss, as the settings say.

    Args:
        model: called with the tensors of a batch, returns Losses.
        batches: see Stage.
        evaluate: see Stage.
        config: the `train` settings.
        frozen: modules of the model that do not learn.
        eval_modules: see Stage.
    """
    fixed = {id(parameter) for module in frozen for parameter in module.parameters()}
    learned = [
        (name, parameter)
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and id(parameter) not in fixed
    ]
    encoder = [parameter for name, parameter in learned if name.startswith("encoder.")]
    others = [parameter for name, parameter in learned if not name.startswith("encoder.")]
    groups = (ParameterGroup(encoder, config.encoder_lr_scale), ParameterGroup(others))
    return Stage(
        MAIN_STAGE,
        config.steps,
        batches,
        model,
        [group for group in groups if group.parameters],
        Schedule(config.learning_rate, config.steps, config.warmup, config.lr_decay_fraction),
        evaluate=evaluate,
        eval_modules=eval_modules,
        warmup=config.warmup,
        ema_decay=config.ema_decay,
        grad_clip=config.grad_clip,
        precision=config.precision,
        fused=True,
    )


def initialization_stage(name: str, model: nn.Module, initialize: Callable[[], None]) -> Stage:
    """A stage without steps: it sets parameters once, and the result is checkpointed."""
    everything = ParameterGroup(list(model.parameters()))
    return Stage(name, 0, lambda step: iter(()), model, [everything], lambda step: 0.0, initialize=initialize)


def check_batch_splits(key: str, batch: int) -> None:
    """Refuse a batch that the processes of this run cannot share equally.

    Raises:
        UserError: names the configuration key.
    """
    if batch % distributed.world_size():
        raise UserError(
            f"{key} = {batch} cannot be split over {distributed.world_size()} processes; take a multiple"
        )
