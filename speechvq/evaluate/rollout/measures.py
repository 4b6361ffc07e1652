"""What is measured of imagined videos: code lengths, pictures, actions and sharpness."""

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
from speechvq.metrics.image_quality import psnr, sharpness, ssim
from speechvq.runtime.progress import counter, progress
from speechvq.video.model.prior import VideoPrior
from speechvq.video.model.rollout import roll_out
from speechvq.video.recording.codes import CodedEpisodes, decode_frames, encode_frames
from speechvq.video.recording.dataset import WindowDataset, episodes, window_loader
from speechvq.video.recording.episode import read_window
from speechvq.video.recording.recording import Split, read_recording
from speechvq.video.world.interface import ACTIONS, PIXELS

AT_ONCE = 16  # frames measured at once; bounds memory
STEPS = (1, 5, 10)  # frames ahead that pictures are compared at, and the last
EARLY = 10  # frames of a video whose actions are named apart from the rest
WINDOWS = 16  # that the classifier sees a step
NEIGHBOURS = 5  # frames of each: opening a file takes longest
MIRRORED = torch.tensor(  # what each action is in a mirror
    [ACTIONS.index(name) for name in ("forward", "back", "right", "left", "strafe-right", "strafe-left")]
)


class Videos(NamedTuple):
    """Imagined videos and what was really seen; index 0 of an axis of L + 1 is the last frame given."""

    real: np.ndarray  # (R, L + 1, H, W, 3), uint8
    kept: np.ndarray  # the same, through the image model: what it could be at best
    imagined: np.ndarray  # (R, L + 1, H, W, 3), the first of `kept`
    actions: np.ndarray  # (R, L), int64


def code_lengths(
    priors: Mapping[Path, VideoPrior], training: CodedEpisodes, heldout: CodedEpisodes, windows: int
) -> dict[str, float]:
    """Bits a code of the same held-out frames, spread over the split.

    Returns:
        "uniform", "unigram" and "copy", the latter two fitted on training; and each prior's, by its place.
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
    starts = range(0, len(codes), AT_ONCE)
    nats = 0.0
    for start in progress(starts, total=len(starts), label=label, unit="batches"):
        some = codes[start : start + AT_ONCE].to(device)
        seen = some[:, some.shape[1] - 1 - past : -1]
        nats += float(prior.nll(seen, actions[start : start + AT_ONCE, -1].to(device), some[:, -1]).sum())
    return nats / codes[:, -1].numel() / math.log(2)


def imagine(
    prior: VideoPrior, model: ImageModel, data: Path, split: Split, rollouts: int, frames: int, **options: Any
) -> Videos:
    """Videos of the actions that were really done, from beginnings spread over the episodes of a split.

    Raises:
        UserError: episodes shorter than a video.
    """
    device, past = prior.context.position_embedding.device, max(prior.config.context_frames, 1)
    real, actions = _beginnings(data, split, rollouts, past, frames)
    codes = torch.stack([encode_frames(model, each) for each in real])
    given = codes[:, past - prior.config.context_frames : past]
    with counter(frames, label="imagine", unit="frames") as count:
        told = torch.from_numpy(actions).to(device)
        drawn = roll_out(prior, given, told, **options, on_frame=count)
    kept = np.stack([decode_frames(model, each) for each in codes[:, past - 1 :]])
    imagined = np.stack([decode_frames(model, each) for each in drawn])
    return Videos(real[:, past - 1 :], kept, np.concatenate([kept[:, :1], imagined], 1), actions)


def _beginnings(
    data: Path, split: Split, rollouts: int, past: int, frames: int
) -> tuple[np.ndarray, np.ndarray]:
    """Real frames (R, past + frames, H, W, 3) and what was done after those that are given, (R, frames)."""
    paths, length = episodes(data, split), read_recording(data).frames
    if past + frames > length:
        raise UserError(f"--frames {frames}: {past} are given, and the episodes have {length}; give fewer")
    turns = -(-rollouts // len(paths))  # videos an episode
    starts = np.linspace(0, length - past - frames, turns).astype(int)
    windows = [read_window(path, int(start), past + frames) for start in starts for path in paths][:rollouts]
    return np.stack([w.frames for w in windows]), np.stack([w.actions[past - 1 :] for w in windows])


def picture_quality(videos: Videos) -> dict[str, dict[str, dict[str, float | None]]]:
    """PSNR (dB) and SSIM to the true frame, by how many steps ahead it is.

    Of what was imagined, of the last frame given, and of the true one as the image model keeps it.
    """
    last = videos.actions.shape[1]
    return {
        str(step): {
            "imagined": _quality(videos.imagined[:, step], videos.real[:, step]),
            "last frame": _quality(videos.real[:, 0], videos.real[:, step]),
            "reconstruction": _quality(videos.kept[:, step], videos.real[:, step]),
        }
        for step in sorted({step for step in STEPS if step <= last} | {last})
    }


def _quality(frames: np.ndarray, truth: np.ndarray) -> dict[str, float | None]:
    ratio = psnr(frames, truth)
    return {"psnr": ratio if math.isfinite(ratio) else None, "ssim": float(ssim(frames, truth).mean())}


def recovered_actions(videos: Videos, data: Path, steps: int) -> dict[str, Any]:
    """The share of actions that a classifier names from two frames; it has learnt from real training frames.

    Returns:
        For the first ten frames and for all: `real`, `reconstruction`, `imagined`, how many `pairs`, and
        `majority`, the share of the most frequent action.
    """
    probe = train_action_probe(_pairs(data, steps), steps, len(ACTIONS), PIXELS)
    until = {str(min(EARLY, videos.actions.shape[1])): EARLY, str(videos.actions.shape[1]): None}
    named = {
        "real": _named(probe, videos.real, videos.actions),
        "reconstruction": _named(probe, videos.kept, videos.actions),
        "imagined": _named(probe, videos.imagined, videos.actions),
    }
    return {
        frames: {name: float(right[:, :end].mean()) for name, right in named.items()}
        | {
            "pairs": videos.actions[:, :end].size,
            "majority": float(
                np.bincount(videos.actions[:, :end].ravel()).max() / videos.actions[:, :end].size
            ),
        }
        for frames, end in until.items()
    }


def _pairs(data: Path, steps: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Real neighbours of the training split, frames (B, 3, H, W) each and actions (B,); half in a mirror."""
    length = min(NEIGHBOURS, read_recording(data).frames)
    windows = window_loader(WindowDataset(data, "train", length, seed=0), WINDOWS)
    for _, batch in zip(progress(range(steps), total=steps, label="classifier", unit="steps"), windows):
        frames, actions = batch
        frames[::2], actions[::2] = frames[::2].flip(-1), MIRRORED[actions[::2]]
        yield frames[:, :-1].flatten(0, 1), frames[:, 1:].flatten(0, 1), actions.flatten()


def _named(probe: ActionProbe, frames: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """Whether each action is named, (R, L), bool."""
    pixels = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 1, 4, 2, 3)))
    before, after = pixels[:, :-1].flatten(0, 1), pixels[:, 1:].flatten(0, 1)
    right = action_recognized(probe, before, after, torch.from_numpy(actions).flatten())
    return right.view(actions.shape).numpy()


def sharpness_over_time(videos: Videos) -> dict[str, Any]:
    """Mean sharpness of each frame, imagined, kept and real, and the last's share of the first's."""
    means = {
        name: np.mean([sharpness(video[1:]) for video in frames], axis=0).tolist()
        for name, frames in zip(
            ("imagined", "reconstruction", "real"), (videos.imagined, videos.kept, videos.real)
        )
    }
    shares = {name: each[-1] / each[0] if each[0] else None for name, each in means.items()}
    return {"by_frame": means, "last_to_first": shares}
