"""The training loop of every model: stages, each trained, logged, saved and resumed alike."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from speechvq.config import TrainConfig
from speechvq.errors import UserError
from speechvq.runtime import distributed
from speechvq.runtime.logging import logger
from speechvq.runtime.precision import supports_bf16
from speechvq.training.checkpoint import (
    DamagedCheckpoint,
    TrainingState,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
    set_aside,
    stage_and_step,
)
from speechvq.training.console import ProgressLines
from speechvq.training.ema import EMA, ema_weights
from speechvq.training.meter import Meter, warn_of_posterior_collapse
from speechvq.training.metrics_log import MetricsLog
from speechvq.training.signals import Interrupted, StopSignals
from speechvq.training.stage import Losses, Stage

SAVING_SECONDS, MAX_SAVERS = 3.0, 8  # time for one process to save before the next one tries
LOG_EVERY = 50  # steps between two lines of metrics.jsonl; progress lines are spaced by time


@dataclass(frozen=True)
class _Run:
    """What all stages of a run share."""

    folder: Path
    stages: Sequence[Stage]
    config: TrainConfig
    log: MetricsLog | None  # on the first process only
    stop: StopSignals


def fit(model: nn.Module, stages: Sequence[Stage], folder: Path, config: TrainConfig) -> TrainingState:
    """Train a model through its stages, from the newest whole checkpoint of the run if there is one.

    Args:
        model: trained in place, on its device.
        stages: what to train, in this order.
        folder: run directory; gets `checkpoints/` and `metrics.jsonl`.
        config: seed, and how often to save and evaluate.

    Returns:
        The state at the end of the last stage.

    Raises:
        Interrupted: SIGTERM or SIGINT came; a checkpoint was written first. A second signal exits at once.
        UserError: NaN or Inf in consecutive updates; no whole checkpoint among damaged ones; a full disk;
            another process was lost, and a checkpoint was written.
    """
    state = _resume(model, folder, stages)
    log, first = None, 0 if state is None else state.stage
    if distributed.rank() == 0:
        log = MetricsLog(folder, [stage.name for stage in stages], first, 0 if state is None else state.step)
        _warn_of_emulated_bf16(stages, next(model.parameters()).device)
    with StopSignals() as stop:
        run = _Run(folder, stages, config, log, stop)
        for index in range(first, len(stages)):
            if state is None or state.stage != index:
                state = _start_stage(model, run, index)
            try:
                _train_stage(state, run)
            except distributed.ProcessLost as lost:
                raise _saved_after_loss(state, run, lost) from lost
    assert state is not None
    return state


def _resume(model: nn.Module, folder: Path, stages: Sequence[Stage]) -> TrainingState | None:
    """The state of the newest whole checkpoint; None for a run without checkpoints.

    Damaged checkpoints after it are set aside with a warning.

    Raises:
        UserError: none of the checkpoints is whole.
    """
    damaged: list[tuple[Path, DamagedCheckpoint]] = []
    for checkpoint in reversed(list_checkpoints(folder)):
        try:
            index, _ = stage_and_step(checkpoint, len(stages))
            _freeze_and_set_modes(model, stages[index])
            state = _new_state(model, stages[index], index)
            load_checkpoint(checkpoint, state)
        except DamagedCheckpoint as error:
            damaged.append((checkpoint, error))
            continue
        if distributed.rank() == 0:
            for path, reason in damaged:
                logger.warning("warning: %s; it is renamed to %s", reason, set_aside(path).name)
            logger.info("resuming from %s", checkpoint)
        return state
    if damaged:
        raise damaged[0][1]
    return None


def _freeze_and_set_modes(model: nn.Module, stage: Stage) -> None:
    """Let the stage's parameters learn, and no others; set training and evaluation modes."""
    learned = {id(parameter) for parameter in stage.parameters}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in learned)
        parameter.grad = None
    _set_modes(model, stage)


def _new_state(model: nn.Module, stage: Stage, index: int) -> TrainingState:
    """A state with an optimizer that has done no step, and an average that equals the model."""
    groups = [{"params": list(group.parameters), "lr_scale": group.lr_scale} for group in stage.groups]
    optimizer = torch.optim.Adam(groups, betas=stage.betas, fused=stage.fused)
    ema = None if stage.ema_decay is None else EMA(model, stage.ema_decay)
    return TrainingState(model, optimizer, ema, index)


def _start_stage(model: nn.Module, run: _Run, index: int) -> TrainingState:
    """The state at the first step of a stage; what the stage initializes is saved."""
    stage = run.stages[index]
    _freeze_and_set_modes(model, stage)
    _announce(run, index)
    if stage.initialize is not None:
        stage.initialize()
        _copy_from_first_process(model)
    state = _new_state(model, stage, index)
    if stage.initialize is not None:
        _save(state, run)
    return state


def _train_stage(state: TrainingState, run: _Run) -> None:
    """Train to the last step of the state's stage, and leave a checkpoint of it."""
    stage, device = run.stages[state.stage], next(state.model.parameters()).device
    if state.step >= stage.steps:
        return
    meter, progress = Meter(stage, state.interval_sums), ProgressLines(stage, state.step)
    batches = stage.batches(state.step)
    while state.step < stage.steps:
        losses, gradient_norm = _update_or_undo(state, stage, next(batches), run.config.seed)
        meter.add(losses, gradient_norm)
        is_last = state.step == stage.steps
        if run.log is not None:
            progress.add(state.step, losses)
        if is_last or state.step % LOG_EVERY == 0:
            _log_means(state, meter, run)
        if is_last or state.step % run.config.evaluate_every == 0:
            _evaluate(state, run)
        signum = run.stop.any_rank_signalled(device)
        if signum or is_last or state.step % run.config.save_every == 0:
            _save(state, run)
        if signum and not (is_last and state.stage == len(run.stages) - 1):
            raise Interrupted(signum)


def update(state: TrainingState, stage: Stage, batch: tuple[Tensor, ...], seed: int) -> tuple[Losses, float]:
    """One step of gradient descent; its random numbers are a function of seed, step and process alone.

    An update with NaN or Inf is not applied.

    Returns:
        The losses, and the norm of the gradient before clipping.
    """
    torch.manual_seed(hash((seed, state.step, distributed.rank())))
    device = next(state.model.parameters()).device
    with torch.autocast(device.type, torch.bfloat16, enabled=stage.precision == "bf16"):
        losses = stage.losses(*(tensor.to(device) for tensor in batch))
    state.optimizer.zero_grad()
    losses.total.backward()
    parameters = stage.parameters
    _average_gradients(parameters)
    gradient_norm = float(nn.utils.clip_grad_norm_(parameters, stage.grad_clip))
    if math.isfinite(gradient_norm):
        for group in state.optimizer.param_groups:
            group["lr"] = group["lr_scale"] * stage.learning_rate(state.step)
        state.optimizer.step()
        if state.ema is not None:
            state.ema.update(state.model, state.step)
    state.step += 1
    return losses, gradient_norm


def _update_or_undo(
    state: TrainingState, stage: Stage, batch: tuple[Tensor, ...], seed: int
) -> tuple[Losses, float]:
    """`update`; if another process is lost meanwhile, the model becomes what it was before.

    The forward pass already changes the codebook and its statistics, on some processes at least.
    """
    if distributed.world_size() == 1:
        return update(state, stage, batch, seed)
    before = {name: tensor.clone() for name, tensor in state.model.state_dict().items()}
    try:
        return update(state, stage, batch, seed)
    except distributed.ProcessLost:
        for name, tensor in state.model.state_dict().items():
            tensor.copy_(before[name])
        raise


def _saved_after_loss(state: TrainingState, run: _Run, lost: distributed.ProcessLost) -> UserError:
    """Save the state, whose last step is whole; the error that ends this process too.

    The process with the lowest rank that is left saves; those after it find its checkpoint.
    """
    time.sleep(min(distributed.rank(), MAX_SAVERS) * SAVING_SECONDS)
    checkpoint = save_checkpoint(run.folder, state, run.config.keep_checkpoints)
    return UserError(
        f"{run.folder}: another process of this run has ended or cannot be reached ({lost}); step "
        f"{state.step} is saved in {checkpoint.name}; the same command on all machines continues from it"
    )


def _set_modes(model: nn.Module, stage: Stage) -> None:
    """Training mode, but for the modules that the stage keeps in evaluation mode."""
    model.train()
    for module in stage.eval_modules:
        module.eval()


def _announce(run: _Run, index: int) -> None:
    """Log which of several stages starts."""
    if run.log is None or len(run.stages) == 1:
        return
    stage = run.stages[index]
    steps = f"{stage.steps} steps" if stage.steps else "initialization"
    logger.info("training stage %d of %d: %s, %s", index + 1, len(run.stages), stage.name, steps)


def _warn_of_emulated_bf16(stages: Sequence[Stage], device: torch.device) -> None:
    if any(stage.precision == "bf16" for stage in stages) and not supports_bf16(device):
        logger.warning(
            "warning: this device only emulates bfloat16, which is many times slower: set "
            "train.precision=fp32"
        )


def _copy_from_first_process(model: nn.Module) -> None:
    """Give all processes the model of the first one: k-means may round differently on each."""
    for tensor in model.state_dict().values():
        distributed.broadcast(tensor)


def _average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Give every process the mean gradient, in one message."""
    if distributed.world_size() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = distributed.all_reduce_sum(torch.cat([gradient.flatten() for gradient in gradients]))
    flat /= distributed.world_size()
    for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients])):
        gradient.copy_(part.view_as(gradient))


def _log_means(state: TrainingState, meter: Meter, run: _Run) -> None:
    """Write the means since the last line to the metrics log."""
    means = meter.take_means(state.step)
    if run.log is not None and means:
        run.log.write(run.stages[state.stage].name, state.step, means)


def _evaluate(state: TrainingState, run: _Run) -> None:
    """Measure the averaged weights on the first process, and log the values."""
    stage = run.stages[state.stage]
    if run.log is None or stage.evaluate is None:
        return
    with ema_weights(state.model, state.ema) as model, torch.no_grad():
        values = stage.evaluate(model.eval())
    _set_modes(state.model, stage)
    run.log.write(stage.name, state.step, values)
    numbers = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
    logger.info("%s, step %d: %s", stage.name, state.step, numbers)
    if state.step >= stage.warmup + 2 * run.config.evaluate_every:
        warn_of_posterior_collapse(values)


def _save(state: TrainingState, run: _Run) -> None:
    """Write a checkpoint, from the first process."""
    if distributed.rank() == 0:
        save_checkpoint(run.folder, state, run.config.keep_checkpoints)
