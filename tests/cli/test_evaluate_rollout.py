"""`evaluate rollout`: every metric has its name and its definition; wrong flags get one clear line."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.video_data import CONTEXT_FRAMES, make_world
from speechvq.evaluate import rollout
from speechvq.evaluate.rollout.measures import (
    Videos,
    code_lengths,
    frame_quality,
    sample_videos,
    sharpness_over_time,
)
from speechvq.images.model_directory import load_image_model
from speechvq.metrics.copy_baseline import fit_copy_baseline
from speechvq.metrics.images.quality import psnr
from speechvq.results.rollout import FrameQuality, RolloutResult
from speechvq.video.model.model_directory import load_video_prior
from speechvq.video.recording.codes import cached_episodes
from speechvq.video.recording.episode import read_window
from speechvq.video.recording.recording import episode_path

BRIEF = ["--frames", "4", "--rollouts", "3", "--windows", "5", "--probe-steps", "2"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("world"))


def test_the_command(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    others = [word for name in ("no_action", "no_past") for word in ("--against", str(world / name))]
    arguments = ["--prior", str(world / "prior"), *others, *BRIEF, "--json", str(tmp_path / "a.json")]
    assert rollout.main(arguments) == 0
    found = json.loads((tmp_path / "a.json").read_text())
    counts = [found[key] for key in ("rollouts", "frames", "context_frames", "windows")]
    assert counts == [3, 4, CONTEXT_FRAMES, 5]
    assert list(found["bits"])[:4] == ["uniform", "unigram", "copy", str(world / "prior")]
    assert found["bits"]["uniform"] == 2.0 and len(found["bits"]) == 6
    assert found["quality"].keys() == {"1", "4"} and found["actions"].keys() == {"4"}
    assert all(0 <= found["actions"]["4"][name] <= 1 for name in ("real", "reconstruction", "imagined"))
    assert all(len(each) == 4 for each in found["sharpness"]["by_frame"].values())
    assert RolloutResult.load(tmp_path / "a.json").to_json() == found
    printed = capsys.readouterr().out
    assert "3 videos of 4 frames after 3 context frames" in printed and "imagined / real" in printed


def test_bits_are_those_of_the_priors_and_of_the_copy(world: Path) -> None:
    model = load_image_model(world / "model")
    training, heldout = (
        cached_episodes(world / "model", model, world / "maze", s) for s in ("train", "test")
    )
    priors = {Path(name): load_video_prior(world / name) for name in ("prior", "no_past")}
    lengths = code_lengths(priors, training, heldout, 10**6)
    count = heldout.count(CONTEXT_FRAMES + 1)
    codes, actions = heldout.windows(np.arange(count), CONTEXT_FRAMES + 1)
    with torch.no_grad():
        with_context = float(priors[Path("prior")].nll(codes[:, :-1], actions[:, -1], codes[:, -1]).mean())
        without_context = float(
            priors[Path("no_past")].nll(codes[:, :0], actions[:, -1], codes[:, -1]).mean()
        )
    assert lengths["prior"] == pytest.approx(with_context / 441 / math.log(2), rel=1e-5)
    assert lengths["no_past"] == pytest.approx(without_context / 441 / math.log(2), rel=1e-5)
    copy = fit_copy_baseline(training.codes[:, :-1], training.codes[:, 1:], 4)
    assert lengths["copy"] == pytest.approx(copy.bits(codes[:, -2].numpy(), codes[:, -1].numpy()).mean())
    assert lengths["copy"] <= lengths["unigram"] <= 2.2


def test_videos_start_with_the_last_context_frame_and_follow_the_recorded_actions(world: Path) -> None:
    prior, model = load_video_prior(world / "prior"), load_image_model(world / "model")
    videos = sample_videos(prior, model, world / "maze", "test", 3, 4, seed=1)
    first = read_window(episode_path(world / "maze", 0), 0, CONTEXT_FRAMES + 4)
    assert videos.real.shape == (3, 5, 84, 84, 3) and np.array_equal(
        videos.real[0], first.frames[CONTEXT_FRAMES - 1 :]
    )
    assert np.array_equal(videos.actions[0], first.actions[CONTEXT_FRAMES - 1 :])
    assert np.array_equal(videos.imagined[:, 0], videos.reconstructed[:, 0])
    late = read_window(episode_path(world / "maze", 0), 1, CONTEXT_FRAMES + 4)
    assert np.array_equal(videos.real[2], late.frames[CONTEXT_FRAMES - 1 :]), (
        "the third of three, in two episodes"
    )
    again = sample_videos(prior, model, world / "maze", "test", 3, 4, seed=1)
    assert np.array_equal(videos.imagined, again.imagined)


def test_quality_and_sharpness_of_known_videos() -> None:
    real = np.random.default_rng(0).integers(0, 256, (2, 12, 16, 16, 3)).astype(np.uint8)
    gray = np.full_like(real, 128)
    videos = Videos(real, gray, real, np.zeros((2, 11), np.int64))
    quality = frame_quality(videos)
    assert quality.keys() == {"1", "5", "10", "11"}
    assert quality["5"]["imagined"] == FrameQuality(None, pytest.approx(1.0))
    assert quality["5"]["last frame"].psnr == pytest.approx(psnr(real[:, 0], real[:, 5]))
    assert quality["5"]["reconstruction"].psnr == pytest.approx(psnr(gray[:, 5], real[:, 5]))
    means = sharpness_over_time(videos._replace(imagined=np.concatenate([real[:, :11], gray[:, 11:]], 1)))
    assert means.last_to_first["imagined"] == 0.0
    assert means.last_to_first["real"] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--split", "train"], "--split train: give dev or test; the prior was trained on the others"),
        (["--windows", "0"], "--windows 0: give 1 to"),
        (["--probe-steps", "0"], "--probe-steps 0: give 1 to"),
        (["--frames", "6"], "--frames 6: 3 context frames precede them, episodes have 8; give fewer"),
        (["--temperature", "-0.1"], "--temperature -0.1: give 0 to 100"),
        (["--top-p", "1.1"], "--top-p 1.1: give more than 0, at most 1"),
        (["--against", "nowhere"], "nowhere: no model here"),
        (["--against", "MODEL"], "no prior over frames"),
    ],
)
def test_a_mistake_costs_a_line(
    arguments: list[str], line: str, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(world / "model") if word == "MODEL" else word for word in arguments]
    assert rollout.main(["--prior", str(world / "prior"), *BRIEF, *words]) == 2
    error = capsys.readouterr().err
    assert line in error and error.count("\n") == 1
