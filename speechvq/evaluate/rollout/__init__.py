"""`python -m speechvq.evaluate rollout`: quality of the videos that a video prior samples.

Bits per code of the next frame; PSNR and SSIM to the recorded future; accuracy of actions recognized in
sampled frames; sharpness over time. Each stands beside a lower and an upper baseline.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.errors import UserError
from speechvq.runtime.device import find_device


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("evaluate rollout", __doc__)
    flags.add_video_prior(parser)
    parser.add_argument(
        "--against",
        type=Path,
        action="append",
        default=[],
        help="another prior whose likelihood is compared; repeatable",
    )
    flags.add_scored_split(parser)
    parser.add_argument("--windows", type=int, default=512, help="frames whose likelihood is measured")
    parser.add_argument("--rollouts", type=int, default=40, help="number of sampled videos")
    parser.add_argument("--frames", type=int, default=50, help="frames per video")
    parser.add_argument(
        "--probe-steps",
        type=int,
        default=400,
        help="training steps of the action probe, 64 real pairs each",
    )
    flags.add_seed(parser, "sampling")
    flags.add_temperature(parser)
    flags.add_top_p(parser)
    flags.add_device(parser)
    flags.add_json(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    _check(arguments)
    from speechvq.evaluate.rollout.measures import (
        code_lengths,
        frame_quality,
        recognized_actions,
        sample_videos,
        sharpness_over_time,
    )
    from speechvq.evaluate.rollout.table import rollout_table
    from speechvq.results.rollout import RolloutResult
    from speechvq.video.model.model_directory import load_pair, resolve_paths
    from speechvq.video.recording.codes import cached_episodes

    model_place, data = resolve_paths(arguments.prior, arguments.model, arguments.data)
    device = find_device(arguments.device)
    prior, model = load_pair(arguments.prior, model_place, device)
    priors = {place: load_pair(place, model_place, device)[0] for place in arguments.against}
    training, heldout = (cached_episodes(model_place, model, data, s) for s in ("train", arguments.split))
    lengths = code_lengths({arguments.prior: prior} | priors, training, heldout, arguments.windows)
    options = {"seed": arguments.seed, "temperature": arguments.temperature, "top_p": arguments.top_p}
    videos = sample_videos(
        prior, model, data, arguments.split, arguments.rollouts, arguments.frames, **options
    )
    result = RolloutResult(
        prior=str(arguments.prior),
        data=str(data),
        split=arguments.split,
        rollouts=len(videos.imagined),
        frames=arguments.frames,
        context_frames=prior.config.context_frames,
        **options,
        windows=min(arguments.windows, heldout.count(prior.config.context_frames + 1)),
        bits=lengths,
        quality=frame_quality(videos),
        actions=recognized_actions(videos, data, arguments.probe_steps),
        sharpness=sharpness_over_time(videos),
    )
    print(rollout_table(result))
    if arguments.json:
        result.save(arguments.json)


def _check(arguments: argparse.Namespace) -> None:
    """Refuse values out of range, before torch is imported."""
    if arguments.split not in ("dev", "test"):
        raise UserError(f"--split {arguments.split}: give dev or test; the prior was trained on the others")
    for name, most in (("windows", 10**7), ("rollouts", 10**5), ("frames", 10**5), ("probe_steps", 10**6)):
        if not 1 <= getattr(arguments, name) <= most:
            raise UserError(f"--{name.replace('_', '-')} {getattr(arguments, name)}: give 1 to {most}")
