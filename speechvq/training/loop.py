"""The one training loop, for every model of the package."""

import math
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from speechvq.config import TrainConfig
from speechvq.runtime import distributed
from speechvq.runtime.precision import supports_bf16
from speechvq.training.checkpoint import TrainingState, list_checkpoints, load_checkpoint, save_checkpoint
from speechvq.training.ema import EMA
from speechvq.training.meter import Losses, Meter
from speechvq.training.metrics_log import MetricsLog, say

LOG_EVERY = 50  # steps
POSTERIOR_COLLAPSE_BITS = (
    0.02  # a decoder that loses less by another utterance's codes does not listen to them
)

Batches = Callable[[int], Iterator[tuple[Tensor, ...]]]
Evaluate = Callable[[nn.Module], dict[str, float]]


class Interrupted(Exception):
    """A signal asked to stop; the state has been saved. The process should exit with 128 + `signum`."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}; the same command goes on from here")
        self.signum = signum


def fit(
    model: nn.Module, batches: Batches, evaluate: Evaluate, run: Path, config: TrainConfig
) -> TrainingState:
    """Train a model to `config.steps`, from the run's newest checkpoint if there is one.

    Args:
        model: called with a batch's tensors, returns Losses; it is trained in place.
        batches: batches from a step on, endless; equal steps give equal batches.
        evaluate: measures a model on held-out data.
        run: run directory; gets `checkpoints/` and `metrics.jsonl`.
        config: how to train.

    Returns:
        The final state; its averages are what should be exported.

    Raises:
        Interrupted: SIGTERM or SIGINT came; a checkpoint was written first. A second signal ends at once.
        UserError: NaN or Inf in several updates running; a damaged checkpoint; a full disk.
    """
    optimizer = torch.optim.Adam(_groups(model, config), lr=config.learning_rate, fused=True)
    state = TrainingState(model, optimizer, EMA(model, config.ema_decay))
    if checkpoints := list_checkpoints(run):
        load_checkpoint(checkpoints[-1], state)
        say(f"resuming from {checkpoints[-1]}")
    if config.precision == "bf16" and not supports_bf16(next(model.parameters()).device):
        say(
            "warning: this device only emulates bfloat16, which is many times slower: set train.precision=fp32"
        )
    log = MetricsLog(run, state.step) if distributed.rank() == 0 else None
    meter = Meter(config, state.interval_sums)
    with _StopSignals() as stop:
        stream = batches(state.step) if state.step < config.steps else iter(())
        while state.step < config.steps:
            losses, norm = _update(state, next(stream), config)
            meter.count(losses, norm)
            if state.step % LOG_EVERY == 0:
                meter.report(state, log)
            if state.step % config.evaluate_every == 0 or state.step == config.steps:
                _evaluate(state, evaluate, log, config)
            signum = stop.any_rank_signalled(next(model.parameters()).device)
            if signum or state.step % config.save_every == 0 or state.step == config.steps:
                if distributed.rank() == 0:
                    save_checkpoint(run, state, config.keep_checkpoints)
            if signum and state.step < config.steps:
                raise Interrupted(signum)
    return state


def learning_rate(step: int, config: TrainConfig) -> float:
    """Rate of update `step` (from 0): a linear rise, a plateau, a linear fall over the last `decay`."""
    rise = (step + 1) / max(config.warmup, 1)
    fall = (config.steps - step) / max(config.lr_decay_fraction * config.steps, 1)
    return config.learning_rate * min(1.0, rise, fall)


def _groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """The weights by their share of the learning rate."""
    encoder = [p for name, p in model.named_parameters() if name.startswith("encoder.")]
    others = [p for name, p in model.named_parameters() if not name.startswith("encoder.")]
    groups = [{"params": others, "share": 1.0}, {"params": encoder, "share": config.encoder_lr_scale}]
    return [group for group in groups if group["params"]]


def ema_weights(state: TrainingState) -> nn.Module:
    """The model with the averaged weights swapped in; call again to swap back."""
    live = {name: tensor.detach().clone() for name, tensor in state.model.state_dict().items()}
    state.model.load_state_dict(state.ema.tensors)
    state.ema.load(live)
    return state.model


def _update(state: TrainingState, batch: tuple[Tensor, ...], config: TrainConfig) -> tuple[Losses, float]:
    """One step; all of its randomness is a function of the seed, the step and the process."""
    torch.manual_seed(hash((config.seed, state.step, distributed.rank())))
    device = next(state.model.parameters()).device
    with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
        losses: Losses = state.model(*(tensor.to(device) for tensor in batch))
    state.optimizer.zero_grad()
    losses.total.backward()
    _share_gradients(state.model)
    norm = float(nn.utils.clip_grad_norm_(state.model.parameters(), config.grad_clip))
    if math.isfinite(norm):
        for group in state.optimizer.param_groups:
            group["lr"] = group.get("share", 1.0) * learning_rate(state.step, config)
        state.optimizer.step()
        state.ema.update(state.model, state.step)
    state.step += 1
    return losses, norm


def _share_gradients(model: nn.Module) -> None:
    """Give every process the mean gradient, in one message."""
    if distributed.world_size() == 1:
        return
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = distributed.all_reduce_sum(torch.cat([g.flatten() for g in gradients]))
    flat /= distributed.world_size()
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients])):
        gradient.copy_(part.view_as(gradient))


def _evaluate(state: TrainingState, evaluate: Evaluate, log: MetricsLog | None, config: TrainConfig) -> None:
    """Measure the averaged weights on the first process, and say so."""
    if log is None:
        return
    model = ema_weights(state).eval()
    with torch.no_grad():
        values = evaluate(model)
    ema_weights(state).train()
    log.write(state.step, values)
    say(f"step {state.step}: " + ", ".join(f"{name} {value:.3f}" for name, value in values.items()))
    late = state.step >= config.warmup + 2 * config.evaluate_every
    if late and values.get("codes_gap_bits", math.inf) < POSTERIOR_COLLAPSE_BITS:
        say(
            "WARNING: THE DECODER IGNORES THE CODES: another utterance's cost it "
            f"{values['codes_gap_bits']:.3f} bits. What it says will not be what was said. Lower "
            "train.learning_rate or data.batch (more, smaller steps), raise model.quantizer.dead_code_threshold, "
            "or set model.quantizer.codebook=ema"
        )


class _StopSignals:
    """Notes SIGTERM and SIGINT so that the loop can save first; the second one has its usual effect."""

    signum: int = 0

    def any_rank_signalled(self, device: torch.device) -> int:
        """The signal that some process has noted, the same on each, so that all stop after the same step."""
        if distributed.world_size() == 1:
            return self.signum
        noted = torch.zeros(distributed.world_size(), device=device)
        noted[distributed.rank()] = self.signum
        return int(distributed.all_reduce_sum(noted).max())

    def __enter__(self) -> "_StopSignals":
        self._process = os.getpid()
        self._before: dict[int, Any] = {
            s: signal.signal(s, self._note) for s in (signal.SIGTERM, signal.SIGINT)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def _note(self, signum: int, _: object) -> None:
        if os.getpid() != self._process:  # a reading process, forked from this one; it is ended by this one
            return
        self.signum = signum
        for each in self._before:
            signal.signal(each, signal.SIG_DFL)
        say(f"{signal.Signals(signum).name}: saving after this step; once more to end at once")
