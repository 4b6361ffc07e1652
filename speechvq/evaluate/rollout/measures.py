"""Metrics of sampled videos: code lengths, frame quality, recognized actions and sharpness."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from speechvq.errors import UserError
from speechvq.images.model_directory import ImageModel
from speechvq.judges.action_probe import ActionProbe, action_recognized, train_action_probe
from speechvq.metrics.copy_baseline import fit_copy_baseline
from speechvq.metrics.images.quality import psnr, sharpness, ssim
from speechvq.results.rollout import ActionAccuracy, FrameQuality, Sharpness
from speechvq.runtime.progress import counter, progress
from speechvq.video.model.prior import VideoPrior
from speechvq.video.model.rollout import roll_out
from speechvq.video.recording.codes import CodedEpisodes, decode_frames, encode_frames
from speechvq.video.recording.dataset import WindowDataset, episodes, window_loader
from speechvq.video.recording.episode import read_window
from speechvq.video.recording.recording import Split, read_recording
from speechvq.video.world.interface import ACTIONS, PIXELS

BATCH = 16  # frames measured at once; bounds memory
STEPS = (1, 5, 10)  # frames ahead at which quality is measured, beside the last frame
EARLY = 10  # first frames of a video whose action accuracy is reported separately
WINDOWS = 16  # per training step of the action classifier
WINDOW_FRAMES = 5  # per window; several, because opening a file takes longest
MIRRORED = torch.tensor(  # the action that each one is in a mirrored image
    [ACTIONS.index(name) for name in ("forward", "back", "right", "left", "strafe-right", "strafe-left")]
)


class Videos(NamedTuple):
    """Sampled videos and the recorded ones; index 0 of an axis of length L + 1 is the last context frame."""

    real: np.ndarray  # (R, L + 1, H, W, 3), uint8
    reconstructed: np.ndarray  # the same, encoded and decoded by the image model: an upper bound on quality
    imagined: np.ndarray  # (R, L + 1, H, W, 3); the first frame is that of `reconstructed`
    actions: np.ndarray  # (R, L), int64


def code_lengths(
    priors: Mapping[Path, VideoPrior], training: CodedEpisodes, heldout: CodedEpisodes, windows: int
) -> dict[str, float]:
    """Bits per code of the same held-out frames, which are spread over the split.

    Args:
        priors: by path.
        training: episodes that the baselines are fitted on.
        heldout: episodes that are measured.
        windows: how many frames to measure at most.

    Returns:
        Bits by model: "uniform", "unigram" and "copy", then each prior under its path.

    Raises:
        UserError: the episodes are shorter than the context of a prior.
    """
    first = next(iter(priors.values()))
    length = max(1, *(prior.config.context_frames for prior in priors.values())) + 1
    if not heldout.count(length):
        raise UserError(f"no window of {length} frames in the recording; record longer episodes")
    chosen = np.linspace(0, heldout.count(length) - 1, min(windows, heldout.count(length))).astype(int)
    codes, actions = heldout.windows(chosen, length)
    copy = fit_copy_baseline(training.codes[:, :-1], training.codes[:, 1:], first.grid.num_codes)
    before, after = codes[:, -2].numpy(), codes[:, -1].numpy()
    lengths = {
        "uniform": math.log2(first.grid.num_codes),
        "unigram": float(-np.log2(copy.code_probs[after]).mean()),
        "copy": float(copy.bits(before, after).mean()),
    }
    for place, prior in priors.items():
        lengths[str(place)] = _bits(prior, codes, actions, str(place))
    return lengths


@torch.no_grad()
def _bits(prior: VideoPrior, codes: Tensor, actions: Tensor, label: str) -> float:
    device, past = prior.context.position_embedding.device, prior.config.context_frames
    starts = range(0, len(codes), BATCH)
    nats = 0.0
    for start in progress(starts, total=len(starts), label=label, unit="batches"):
        some = codes[start : start + BATCH].to(device)
        seen = some[:, some.shape[1] - 1 - past : -1]
        nats += float(prior.nll(seen, actions[start : start + BATCH, -1].to(device), some[:, -1]).sum())
    return nats / codes[:, -1].numel() / math.log(2)


def sample_videos(
    prior: VideoPrior, model: ImageModel, data: Path, split: Split, rollouts: int, frames: int, **options: Any
) -> Videos:
    """Sample videos for the recorded actions, from contexts spread over the episodes of a split.

    Args:
        prior: that is sampled.
        model: the image model of the prior's codes.
        data: the recording.
        split: of the recording.
        rollouts: R, how many videos.
        frames: L, per video.
        options: of `roll_out`: seed, temperature, top_p.

    Raises:
        UserError: episodes are shorter than a video.
    """
    device, past = prior.context.position_embedding.device, max(prior.config.context_frames, 1)
    real, actions = _recorded_videos(data, split, rollouts, past, frames)
    codes = torch.stack([encode_frames(model, each) for each in real])
    context = codes[:, past - prior.config.context_frames : past]
    with counter(frames, label="imagine", unit="frames") as count:
        chosen = torch.from_numpy(actions).to(device)
        sampled = roll_out(prior, context, chosen, **options, on_frame=count)
    reconstructed = np.stack([decode_frames(model, each) for each in codes[:, past - 1 :]])
    imagined = np.stack([decode_frames(model, each) for each in sampled])
    joined = np.concatenate([reconstructed[:, :1], imagined], 1)
    return Videos(real[:, past - 1 :], reconstructed, joined, actions)


def _recorded_videos(
    data: Path, split: Split, rollouts: int, past: int, frames: int
) -> tuple[np.ndarray, np.ndarray]:
    """Recorded frames (R, past + frames, H, W, 3), and the actions after the context frames, (R, frames)."""
    paths, length = episodes(data, split), read_recording(data).frames
    if past + frames > length:
        raise UserError(
            f"--frames {frames}: {past} context frames precede them, episodes have {length}; give fewer"
        )
    per_episode = -(-rollouts // len(paths))
    starts = np.linspace(0, length - past - frames, per_episode).astype(int)
    windows = [read_window(path, int(start), past + frames) for start in starts for path in paths][:rollouts]
    return np.stack([w.frames for w in windows]), np.stack([w.actions[past - 1 :] for w in windows])


def frame_quality(videos: Videos) -> dict[str, dict[str, FrameQuality]]:
    """PSNR and SSIM to the recorded frame, by frames ahead.

    Returns:
        For each of STEPS and the last frame: "imagined"; "last frame", the last context frame repeated; and
        "reconstruction", the recorded frame through the image model.
    """
    last = videos.actions.shape[1]
    return {
        str(step): {
            "imagined": _quality(videos.imagined[:, step], videos.real[:, step]),
            "last frame": _quality(videos.real[:, 0], videos.real[:, step]),
            "reconstruction": _quality(videos.reconstructed[:, step], videos.real[:, step]),
        }
        for step in sorted({step for step in STEPS if step <= last} | {last})
    }


def _quality(frames: np.ndarray, truth: np.ndarray) -> FrameQuality:
    ratio = psnr(frames, truth)
    return FrameQuality(ratio if math.isfinite(ratio) else None, float(ssim(frames, truth).mean()))


def recognized_actions(videos: Videos, data: Path, steps: int) -> dict[str, ActionAccuracy]:
    """Accuracy of a classifier that predicts the action between two neighboring frames.

    The classifier is trained on recorded frames of split train.

    Args:
        videos: whose actions are recognized.
        data: the recording.
        steps: of training the classifier.

    Returns:
        Accuracies over the first ten frames and over all frames, by the count of frames.
    """
    probe = train_action_probe(_pairs(data, steps), steps, len(ACTIONS), PIXELS)
    length = videos.actions.shape[1]
    right = {
        "real": _recognized(probe, videos.real, videos.actions),
        "reconstruction": _recognized(probe, videos.reconstructed, videos.actions),
        "imagined": _recognized(probe, videos.imagined, videos.actions),
    }
    return {
        str(end): ActionAccuracy(
            **{name: float(each[:, :end].mean()) for name, each in right.items()},
            pairs=videos.actions[:, :end].size,
            majority=float(np.bincount(videos.actions[:, :end].ravel()).max() / videos.actions[:, :end].size),
        )
        for end in sorted({min(EARLY, length), length})
    }


def _pairs(data: Path, steps: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Neighboring training frames, (B, 3, H, W) each, and the actions between them, (B,); half mirrored."""
    length = min(WINDOW_FRAMES, read_recording(data).frames)
    windows = window_loader(WindowDataset(data, "train", length, seed=0), WINDOWS)
    for _, batch in zip(progress(range(steps), total=steps, label="classifier", unit="steps"), windows):
        frames, actions = batch
        frames[::2], actions[::2] = frames[::2].flip(-1), MIRRORED[actions[::2]]
        yield frames[:, :-1].flatten(0, 1), frames[:, 1:].flatten(0, 1), actions.flatten()


def _recognized(probe: ActionProbe, frames: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """Whether each action is recognized, (R, L), bool."""
    pixels = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 1, 4, 2, 3)))
    before, after = pixels[:, :-1].flatten(0, 1), pixels[:, 1:].flatten(0, 1)
    right = action_recognized(probe, before, after, torch.from_numpy(actions).flatten())
    return right.view(actions.shape).numpy()


def sharpness_over_time(videos: Videos) -> Sharpness:
    """Mean sharpness of each frame, and the ratio of the last frame to the first."""
    means = {
        name: np.mean([sharpness(video[1:]) for video in frames], axis=0).tolist()
        for name, frames in zip(
            ("imagined", "reconstruction", "real"), (videos.imagined, videos.reconstructed, videos.real)
        )
    }
    ratios = {name: each[-1] / each[0] if each[0] else None for name, each in means.items()}
    return Sharpness(means, ratios)
