"""How a prior over the next frame is taught: a recording's codes by a trained image model."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from speechvq.config.runs import VideoPriorRun
from speechvq.config.training import TrainConfig
from speechvq.data.sampler import shuffled_batches
from speechvq.errors import UserError
from speechvq.images.codes import fingerprint, require_codes
from speechvq.images.model_directory import load_image_model
from speechvq.images.vqvae import ImageVQ
from speechvq.runtime import distributed
from speechvq.training.loop import learning_rate
from speechvq.training.metrics_log import say
from speechvq.training.task import TrainingTask
from speechvq.video.model.model_directory import save_video_prior
from speechvq.video.model.prior import VideoPrior
from speechvq.video.recording.codes import CodedEpisodes, cached_episodes

AT_ONCE = 16  # held-out frames measured at once; bounds memory
MOTION_RATE = 3e-3  # highest learning rate of motion
SAID_EVERY = 100  # steps of motion


def build_task(config: VideoPriorRun, device: torch.device) -> TrainingTask:
    """The prior on its device, its windows of frames and its measure.

    Raises:
        UserError: no model with codes, or no recording, where the settings say; episodes too short.
    """
    for name, what in (("model", "an image model's run"), ("root", "a recording")):
        if not getattr(config.data, name):
            raise UserError(f"data.{name} is not set; give {what}: --set data.{name}=...")
    model, length = load_image_model(config.data.model).to(device), config.model.context_frames + 1
    training, heldout = (
        cached_episodes(config.data.model, model, config.data.root, s) for s in ("train", "dev")
    )
    if not training.count(length):
        raise UserError(
            f"{config.data.root}: no window of {length} frames; record longer ones, or lower "
            "model.context_frames"
        )
    torch.manual_seed(config.train.seed)
    image = model if isinstance(model, ImageVQ) else None
    grid, source = require_codes(model).grid, fingerprint(config.data.model)
    prior = VideoPrior(config.model, grid, source, image).to(device)
    if image is not None:
        prior.init_code_embeddings(image.entries())
    few = np.linspace(0, heldout.count(length) - 1, config.train.num_eval_items).astype(int)
    codes, actions = heldout.windows(few, length)

    def batches(step: int) -> Iterator[tuple[Tensor, ...]]:
        numbers = shuffled_batches(
            training.count(length),
            config.data.batch,
            config.train.seed,
            step=step,
            rank=distributed.rank(),
            world_size=distributed.world_size(),
        )
        return (training.windows(which, length) for which in numbers)

    return TrainingTask(
        prior,
        batches,
        lambda prior: {"heldout_bits": measure(prior, codes, actions)},
        _export,
        lambda: pretrain_motion(prior, training, config),
    )


def pretrain_motion(prior: VideoPrior, training: CodedEpisodes, config: VideoPriorRun) -> None:
    """Teach motion before the prior, of which a frame costs four times as much; the same on every process."""
    settings, motion = config.model.motion, prior.motion
    if motion is None:
        return
    weights = [weight for weight in motion.parameters() if weight.requires_grad]
    optimizer, device = torch.optim.Adam(weights), next(prior.parameters()).device
    schedule = TrainConfig(settings.steps, MOTION_RATE, warmup=50, lr_decay_fraction=0.5)
    length = motion.context.context_frames + 1
    numbers, total = shuffled_batches(training.count(length), settings.batch, config.train.seed), 0.0
    for step, which in zip(range(settings.steps), numbers):
        codes, actions = (tensor.to(device) for tensor in training.windows(which, length))
        loss = motion.loss(codes, actions)
        total += float(loss.detach())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, config.train.grad_clip)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, schedule)
        optimizer.step()
        if (step + 1) % SAID_EVERY == 0:
            say(f"motion, step {step + 1}/{settings.steps}: loss {total / SAID_EVERY:.4f}")
            total = 0.0


def measure(prior: nn.Module, codes: Tensor, actions: Tensor) -> float:
    """Bits a code of the last frame of windows: (B, past + 1, H, W, G) and (B, past), int64."""
    device, batches = next(prior.parameters()).device, zip(codes.split(AT_ONCE), actions.split(AT_ONCE))
    nats = [len(some) * float(prior(some.to(device), acts.to(device)).nats) for some, acts in batches]
    return sum(nats) / len(codes) / math.log(2)


def _export(folder: Path, model: nn.Module) -> None:
    assert isinstance(model, VideoPrior)
    save_video_prior(folder, model)
