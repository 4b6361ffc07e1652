"""`python -m speechvq.imagine`: some frames and a row of actions in, what would be seen out."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.errors import UserError
from speechvq.runtime.progress import counter
from speechvq.video.world.interface import ACTIONS, parse_actions

if TYPE_CHECKING:
    from torch import Tensor

    from speechvq.video.model.prior import VideoPrior

LONGEST = 10_000  # frames
COLUMNS = 17  # of the strip: six frames, a blank and ten, as in the paper
GIF, STRIP = "imagined.gif", "imagined.png"


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.imagine", description=__doc__)
    flags.add_video_prior(parser)
    parser.add_argument(
        "--start",
        default="0",
        metavar="EPISODE[:FRAME]|DIR",
        help="initial context: an episode and its first frame, or a folder of images (default: %(default)s)",
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
    wanted = _wanted(arguments)
    import torch

    from speechvq.video.model.model_directory import load_pair, resolve_paths
    from speechvq.video.model.rollout import roll_out
    from speechvq.video.recording.codes import decode_frames, encode_frames
    from speechvq.video.recording.initial_context import read_initial_context, recorded_actions
    from speechvq.video.recording.replay import ground_truth_frames

    model_place, data = resolve_paths(arguments.prior, arguments.model, arguments.data)
    prior, model = load_pair(arguments.prior, model_place, arguments.device)
    begun = read_initial_context(arguments.start, data, prior.config.context_frames)
    actions = wanted if wanted is not None else recorded_actions(begun, arguments.frames or 10)
    given = encode_frames(model, begun.frames) if len(begun.frames) else _nothing(prior)
    told = torch.from_numpy(actions)[None].to(arguments.device)
    with counter(len(actions), label="imagine", unit="frames") as count:
        options = {"seed": arguments.seed, "temperature": arguments.temperature, "top_p": arguments.top_p}
        codes = roll_out(prior, given[None], told, **options, on_frame=count)[0]
    imagined = decode_frames(model, torch.cat([given, codes]))
    future = (
        ground_truth_frames(begun.root, begun.episode, begun.last, actions) if begun.episode >= 0 else None
    )
    real = None if future is None else np.concatenate([begun.frames, future])
    _write(arguments.out, [imagined] if real is None else [real, imagined], len(begun.frames))


def _wanted(arguments: argparse.Namespace) -> np.ndarray | None:
    """The actions asked for, (L,), int64; None for those of the episode. What can be checked at once is."""
    if arguments.frames is not None and not 1 <= arguments.frames <= LONGEST:
        raise UserError(f"--frames {arguments.frames}: give 1 to {LONGEST}")
    if not arguments.actions:
        return None
    actions = parse_actions(arguments.actions)
    if len(actions) > LONGEST:
        raise UserError(f"--actions: {len(actions)} of them; give at most {LONGEST}")
    if arguments.frames is not None and arguments.frames > len(actions):
        raise UserError(
            f"--frames {arguments.frames}: only {len(actions)} actions; say more, for example "
            f"{ACTIONS[actions[-1]]}*{arguments.frames}"
        )
    return np.array(actions[: arguments.frames], np.int64)


def _nothing(prior: "VideoPrior") -> "Tensor":
    """No frames as codes, (0, H, W, G): what a prior without a past is given."""
    import torch

    grid = prior.grid
    return torch.empty((0, grid.height, grid.width, grid.codes_per_position), dtype=torch.long)


def _write(out: Path, videos: Sequence[np.ndarray], given: int) -> None:
    """GIF and strip of videos (L, H, W, 3), the true one first where there are two.

    In the strip a blank divides what was given from what came.
    """
    from speechvq.plots.animation import save_gif
    from speechvq.plots.image_grid import BACKGROUND, save_image_grid, split_rows

    save_gif(out / GIF, videos)
    blank = np.full((int(given > 0), *videos[0].shape[1:]), BACKGROUND, np.uint8)
    divided = (np.concatenate([video[:given], blank, video[given:]]) for video in videos)
    each = [split_rows(video.transpose(0, 3, 1, 2), COLUMNS) for video in divided]
    save_image_grid(out / STRIP, [row for group in zip(*each) for row in group])
    beside = "what is really seen, beside it (below it) " if len(videos) > 1 else ""
    print(f"{out / GIF}, {out / STRIP}: {beside}{given} frames given and {len(videos[0]) - given} imagined")


if __name__ == "__main__":
    raise SystemExit(main())
