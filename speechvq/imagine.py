"""`python -m speechvq.imagine`: sample a video from context frames and actions."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.errors import UserError
from speechvq.runtime.device import find_device
from speechvq.runtime.progress import counter
from speechvq.video.world.interface import ACTIONS, parse_actions

if TYPE_CHECKING:
    from torch import Tensor

    from speechvq.video.model.prior import VideoPrior

MAX_FRAMES = 10_000
COLUMNS = 17  # of the strip: six context frames, a gap and ten sampled frames, as in the paper
GIF, STRIP = "imagined.gif", "imagined.png"


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("imagine", __doc__)
    flags.add_video_prior(parser)
    parser.add_argument(
        "--start",
        default="0",
        metavar="EPISODE[:FRAME]|DIR",
        help="initial context: an episode and its first frame, or a folder of images",
    )
    parser.add_argument(
        "--actions",
        default="",
        help="for example forward*10,left*5 (default: the actions of the episode)",
    )
    parser.add_argument(
        "--frames", type=int, help="frames to sample (default: one per action; 10 without --actions)"
    )
    parser.add_argument("--out", type=Path, required=True, help=f"folder for {GIF} and {STRIP}")
    flags.add_seed(parser, "sampling")
    flags.add_temperature(parser)
    flags.add_top_p(parser)
    flags.add_device(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    chosen = _chosen_actions(arguments)
    import torch

    from speechvq.video.model.model_directory import load_pair, resolve_paths
    from speechvq.video.model.rollout import roll_out
    from speechvq.video.recording.codes import decode_frames, encode_frames
    from speechvq.video.recording.initial_context import read_initial_context, recorded_actions
    from speechvq.video.recording.replay import ground_truth_frames

    arguments.device = find_device(arguments.device)
    model_path, data = resolve_paths(arguments.prior, arguments.model, arguments.data)
    prior, model = load_pair(arguments.prior, model_path, arguments.device)
    context = read_initial_context(arguments.start, data, prior.config.context_frames)
    actions = chosen if chosen is not None else recorded_actions(context, arguments.frames or 10)
    past = encode_frames(model, context.frames) if len(context.frames) else _no_codes(prior)
    with counter(len(actions), label="imagine", unit="frames") as count:
        options = {"seed": arguments.seed, "temperature": arguments.temperature, "top_p": arguments.top_p}
        batch = torch.from_numpy(actions)[None].to(arguments.device)
        codes = roll_out(prior, past[None], batch, **options, on_frame=count)[0]
    videos = [decode_frames(model, torch.cat([past, codes]))]
    if context.episode >= 0:
        future = ground_truth_frames(context.root, context.episode, context.last, actions)
        if future is not None:
            videos.insert(0, np.concatenate([context.frames, future]))
    _write(arguments.out, videos, len(context.frames))


def _chosen_actions(arguments: argparse.Namespace) -> np.ndarray | None:
    """The actions of the flags, (L,), int64; None for those of the episode. Validates the flags."""
    if arguments.frames is not None and not 1 <= arguments.frames <= MAX_FRAMES:
        raise UserError(f"--frames {arguments.frames}: give 1 to {MAX_FRAMES}")
    if not arguments.actions:
        return None
    actions = parse_actions(arguments.actions)
    if len(actions) > MAX_FRAMES:
        raise UserError(f"--actions: {len(actions)} actions; give at most {MAX_FRAMES}")
    if arguments.frames is not None and arguments.frames > len(actions):
        raise UserError(
            f"--frames {arguments.frames}: only {len(actions)} actions; give more, for example "
            f"{ACTIONS[actions[-1]]}*{arguments.frames}"
        )
    return np.array(actions[: arguments.frames], np.int64)


def _no_codes(prior: "VideoPrior") -> "Tensor":
    """The context of a prior without past frames, (0, H, W, G)."""
    import torch

    return torch.empty((0, *prior.grid.shape), dtype=torch.long)


def _write(out: Path, videos: Sequence[np.ndarray], context_frames: int) -> None:
    """Write the GIF and the strip.

    Args:
        out: folder.
        videos: (L, H, W, 3), uint8; the true video before the sampled one if it is known.
        context_frames: how many of the L; a gap separates them from the others in the strip.
    """
    from speechvq.plots.animation import save_gif
    from speechvq.plots.image_grid import BACKGROUND, save_image_grid, split_rows

    save_gif(out / GIF, videos)
    gap = np.full((int(context_frames > 0), *videos[0].shape[1:]), BACKGROUND, np.uint8)
    divided = (np.concatenate([video[:context_frames], gap, video[context_frames:]]) for video in videos)
    rows = [split_rows(video.transpose(0, 3, 1, 2), COLUMNS) for video in divided]
    save_image_grid(out / STRIP, [row for group in zip(*rows) for row in group])
    true = "; the true video is left of it (above it)" if len(videos) > 1 else ""
    sampled = len(videos[0]) - context_frames
    print(f"{out / GIF}, {out / STRIP}: {context_frames} context frames and {sampled} sampled frames{true}")


if __name__ == "__main__":
    raise SystemExit(main())
