"""Training task of the prior over the next frame: pre-training of motion, then the prior."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from speechvq.config.runs import VideoPriorRun
from speechvq.data.sampler import shuffled_batches
from speechvq.errors import UserError
from speechvq.images.codes import fingerprint, require_codes
from speechvq.images.model_directory import load_image_model
from speechvq.images.vqvae import ImageVQ
from speechvq.runtime import distributed
from speechvq.training.stage import (
    Batches,
    ParameterGroup,
    PretrainingLosses,
    Schedule,
    Stage,
    check_batch_splits,
    main_stage,
)
from speechvq.training.task import TrainingTask
from speechvq.video.model.model_directory import save_video_prior
from speechvq.video.model.motion import Motion
from speechvq.video.model.prior import VideoPrior
from speechvq.video.recording.codes import CodedEpisodes, cached_episodes

EVAL_BATCH = 16  # held-out frames measured at once; bounds memory
MOTION_LR, MOTION_WARMUP = 3e-3, 50  # peak learning rate of the motion stage; steps


def build_task(config: VideoPriorRun, device: torch.device) -> TrainingTask:
    """The prior on its device and the stages of its training.

    Raises:
        UserError: the settings name no model with codes, or no recording; the episodes are too short.
    """
    check(config)
    model, length = load_image_model(config.data.model).to(device), config.model.context_frames + 1
    training, heldout = (
        cached_episodes(config.data.model, model, config.data.root, split) for split in ("train", "dev")
    )
    if not training.count(length):
        raise UserError(
            f"{config.data.root}: no window of {length} frames; record longer episodes, or lower "
            "model.context_frames"
        )
    torch.manual_seed(config.train.seed)
    image = model if isinstance(model, ImageVQ) else None
    grid, source = require_codes(model).grid, fingerprint(config.data.model)
    prior = VideoPrior(config.model, grid, source, image).to(device)
    if image is not None:
        prior.init_code_embeddings(image.entries())
    chosen = np.linspace(0, heldout.count(length) - 1, config.train.num_eval_items).astype(int)
    codes, actions = heldout.windows(chosen, length)
    main = main_stage(
        prior,
        window_batches(training, length, config.data.batch, config.train.seed),
        lambda prior: {"heldout_bits": measure(prior, codes, actions)},
        config.train,
        frozen=[] if prior.motion is None else [prior.motion],
    )
    stages = (main,) if prior.motion is None else (motion_stage(prior.motion, training, config), main)
    return TrainingTask(prior, stages, _export)


def check(config: VideoPriorRun) -> None:
    """Refuse missing settings, and a batch that the processes cannot share.

    Raises:
        UserError: names them.
    """
    for name, what in (("model", "an image model's run"), ("root", "a recording")):
        if not getattr(config.data, name):
            raise UserError(f"data.{name} is not set; give {what}: --set data.{name}=...")
    check_batch_splits("data.batch", config.data.batch)


def window_batches(episodes: CodedEpisodes, length: int, batch: int, seed: int) -> Batches:
    """Batches of codes (B, length, H, W, G) and actions (B, length - 1), int64, endless from a step on."""

    def batches(step: int) -> Iterator[tuple[Tensor, ...]]:
        indices = shuffled_batches(
            episodes.count(length),
            batch,
            seed,
            step=step,
            rank=distributed.rank(),
            world_size=distributed.world_size(),
        )
        return (episodes.windows(chosen, length) for chosen in indices)

    return batches


def motion_stage(motion: Motion, training: CodedEpisodes, config: VideoPriorRun) -> Stage:
    """Pre-training of motion, which is frozen afterwards; a step of the prior costs four times as much."""

    def losses(codes: Tensor, actions: Tensor) -> PretrainingLosses:
        loss = motion.loss(codes, actions)
        return PretrainingLosses(loss, loss.detach())

    settings = config.model.motion
    check_batch_splits("model.motion.batch", settings.batch)
    length = motion.context.context_frames + 1
    return Stage(
        "motion",
        settings.steps,
        window_batches(training, length, settings.batch, config.train.seed),
        losses,
        [ParameterGroup([parameter for parameter in motion.parameters() if parameter.requires_grad])],
        Schedule(MOTION_LR, settings.steps, MOTION_WARMUP, decay_fraction=0.5),
        grad_clip=config.train.grad_clip,
    )


def measure(prior: nn.Module, codes: Tensor, actions: Tensor) -> float:
    """Negative log-likelihood of the last frame of windows, bits per code.

    Args:
        prior: a VideoPrior, in evaluation mode.
        codes: (B, past + 1, H, W, G), int64.
        actions: (B, past), int64.
    """
    device = next(prior.parameters()).device
    batches = zip(codes.split(EVAL_BATCH), actions.split(EVAL_BATCH))
    nats = [len(part) * float(prior(part.to(device), acts.to(device)).nats) for part, acts in batches]
    return sum(nats) / len(codes) / math.log(2)


def _export(folder: Path, model: nn.Module) -> None:
    assert isinstance(model, VideoPrior)
    save_video_prior(folder, model)
