"""The `imagine` command: videos from an episode or from image files; errors are one line."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.image_data import model_of
from helpers.video_data import (
    CONTEXT_FRAMES,
    FRAMES,
    VARIANTS,
    codes_of,
    make_world,
    prior_of,
    run_of,
    train_prior,
)
from speechvq import config as configuration
from speechvq import imagine
from speechvq.errors import UserError
from speechvq.images.model_directory import load_image_model, save_image_model
from speechvq.images.vqvae import ImageVQ
from speechvq.io.tensors import read_tensors
from speechvq.io.yaml_files import read_yaml, write_yaml
from speechvq.plots.animation import save_gif, tile_videos
from speechvq.training import loop
from speechvq.training.checkpoint import TrainingState, list_checkpoints
from speechvq.video.model.model_directory import load_video_prior, save_video_prior
from speechvq.video.recording.episode import read_window
from speechvq.video.recording.recording import episode_path
from speechvq.video.recording.replay import ground_truth_frames
from speechvq.video.world.interface import parse_actions


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("world"))


def call(world: Path, out: Path, *arguments: str, prior: str = "prior") -> int:
    return imagine.main(["--prior", str(world / prior), "--out", str(out), *arguments])


def size(path: Path) -> tuple[int, int, int]:
    """Width, height and number of frames of an image."""
    with Image.open(path) as image:
        return (*image.size, getattr(image, "n_frames", 1))


def test_a_run_of_each_kind_logs_its_bits(world: Path) -> None:
    for name in VARIANTS:
        lines = [json.loads(line) for line in (world / name / "metrics.jsonl").read_text().splitlines()]
        assert 0 < lines[-1]["heldout_bits"] < 6 and lines[-1]["step"] == 4


def test_motion_is_pretrained_and_saved_with_its_image_model(world: Path) -> None:
    prior, image = load_video_prior(world / "motion"), load_image_model(world / "model")
    assert prior.motion is not None and isinstance(image, ImageVQ)
    assert bool((prior.motion.flow_bias != 0).any()), "it began with no way at all"
    assert prior.motion.image.config == image.config and not prior.training
    brought = prior.motion.image.state_dict()
    assert all(torch.equal(tensor, brought[name]) for name, tensor in image.state_dict().items())


@pytest.mark.parametrize("name", ["prior", "motion"])
def test_a_resumed_run_equals_an_unbroken_one(name: str, world: Path, tmp_path: Path) -> None:
    """Motion is not trained again; it is in the checkpoint."""
    shutil.copytree(world / name, tmp_path / name)
    shutil.rmtree(list_checkpoints(tmp_path / name)[-1])
    run = run_of(world, **VARIANTS[name])
    assert train_prior(tmp_path, run, name) == 0
    one, other = (read_tensors(list_checkpoints(f / name)[-1] / "ema.safetensors") for f in (world, tmp_path))
    assert one.keys() == other.keys() and all(
        torch.equal(one[name], tensor) for name, tensor in other.items()
    )


def test_a_run_resumed_in_the_motion_stage_equals_an_unbroken_one(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = loop.update

    def stopped_at_step_1(state: TrainingState, *rest: Any) -> Any:
        if (state.stage, state.step) == (0, 1):
            signal.raise_signal(signal.SIGTERM)
        return plain(state, *rest)

    run = run_of(world, **VARIANTS["motion"])
    with monkeypatch.context() as patch:
        patch.setattr(loop, "update", stopped_at_step_1)
        assert train_prior(tmp_path, run, "motion") == 128 + signal.SIGTERM
    assert [folder.name for folder in list_checkpoints(tmp_path / "motion")] == ["stage_0_step_2"]
    assert train_prior(tmp_path, run, "motion") == 0
    one, other = (list_checkpoints(folder / "motion")[-1] for folder in (world, tmp_path))
    for name in ("model", "ema", "optimizer"):
        first, second = (read_tensors(folder / f"{name}.safetensors") for folder in (one, other))
        assert first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)
    lines = (tmp_path / "motion/metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["stage"] == "motion" and json.loads(lines[-1])["stage"] == "main"


def test_a_video_from_context_frames_and_actions(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(world, tmp_path, "--actions", "forward*2,left", "--start", "20:2") == 0
    assert f"{CONTEXT_FRAMES} context frames and 3 sampled frames" in capsys.readouterr().out
    assert size(tmp_path / "imagined.gif") == (2 * 252 + 4, 252, CONTEXT_FRAMES + 3)
    assert size(tmp_path / "imagined.png") == (2 + 7 * 86, 2 + 2 * 86, 1)
    with Image.open(tmp_path / "imagined.png") as strip:
        cells = np.asarray(strip)[:, 2:].reshape(2 + 2 * 86, 7, 86, 3)
        assert [(cell == 255).all() for cell in cells.swapaxes(0, 1)] == [
            i == CONTEXT_FRAMES for i in range(7)
        ]
    before = (tmp_path / "imagined.gif").read_bytes()
    assert call(world, tmp_path / "again", "--actions", "forward*2,left", "--start", "20:2") == 0
    assert (tmp_path / "again/imagined.gif").read_bytes() == before
    assert (
        call(world, tmp_path / "other", "--actions", "forward*2,left", "--start", "20:2", "--seed", "1") == 0
    )
    assert (tmp_path / "other/imagined.gif").read_bytes() != before


@pytest.mark.parametrize(
    ("prior", "arguments", "given", "drawn"),
    [
        ("prior", "--frames 4", CONTEXT_FRAMES, 4),  # as was done
        ("prior", "--frames 1 --actions right*5", CONTEXT_FRAMES, 1),
        ("no_action", "--frames 2", CONTEXT_FRAMES, 2),
        ("no_past", "--frames 3", 0, 3),
    ],
)
def test_the_number_of_frames(
    prior: str, arguments: str, given: int, drawn: int, world: Path, tmp_path: Path
) -> None:
    assert call(world, tmp_path, *arguments.split(), prior=prior) == 0
    blank = given > 0
    assert size(tmp_path / "imagined.png")[0] == 2 + (given + blank + drawn) * 86


def test_context_from_image_files(world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for number, frame in enumerate(read_window(episode_path(world / "maze", 0), 0, CONTEXT_FRAMES).frames):
        Image.fromarray(frame).save(folder / f"{number}.png")
    assert call(world, tmp_path / "a", "--start", str(folder), "--actions", "forward*2") == 0
    assert call(world, tmp_path / "b", "--start", "0", "--actions", "forward*2") == 0
    with Image.open(tmp_path / "a/imagined.png") as own, Image.open(tmp_path / "b/imagined.png") as recorded:
        assert np.array_equal(np.asarray(own)[:88], np.asarray(recorded)[86:]), (
            "one row, and the second of two"
        )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--actions foward*10", "'foward*10' is not an action; write forward, back"),
        ("--actions forward*2,lft", "or forward*10; did you mean 'left'?"),
        ("--actions forward --frames 3", "--frames 3: only 1 actions; give more, for example forward*3"),
        ("--actions forward*10001", "--actions: 10001 actions; give at most 10000"),
        ("--frames 0", "--frames 0: give 1 to 10000"),
        ("--frames 6", "--frames 6: the episode has only 5 more actions; give --actions"),
        ("--start 22", "--start 22: WORLD/maze has episodes 0 to 21"),
        ("--start 0:6", "--start 0:6: 3 context frames are needed, so give a frame from 0 to 5"),
        (
            "--start nowhere --actions back",
            "--start nowhere: give EPISODE, EPISODE:FRAME (for example 20:30) or a",
        ),
        ("--start EMPTY --actions back", "0 images, expected 3; file names in order of time"),
        ("--start BROKEN --actions back", "1.png: damaged (UnidentifiedImageError); give another image"),
        ("--start BROKEN", "1.png: damaged (UnidentifiedImageError); give another image"),
        ("--temperature -1", "--temperature -1.0: give 0 to 100"),
        ("--temperature nan", "--temperature nan: give 0 to 100"),
        ("--top-p 0", "--top-p 0.0: give more than 0, at most 1"),
        ("--data nowhere", "nowhere: no recording here"),
        ("--model nowhere", "nowhere: no model here"),
        ("--model OTHER", "fitted to another model's codes; give its own by --model"),
        ("--prior WORLD/model", "not a run directory, so its data are unknown; give --model"),
        ("--prior WORLD/prior/model", "so its data are unknown; give --model"),
        ("--prior nowhere", "so its data are unknown; give --model"),
    ],
)
def test_errors_are_one_line(
    arguments: str, line: str, world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("empty", "broken"):
        (tmp_path / name).mkdir()
    for number in range(CONTEXT_FRAMES):
        (tmp_path / f"broken/{number}.png").write_text("no image")
    Image.new("RGB", (84, 84)).save(tmp_path / "broken/0.png")
    if "OTHER" in arguments:
        save_image_model(tmp_path / "other", model_of("image_vqvae"))
    names = {
        "EMPTY": tmp_path / "empty",
        "BROKEN": tmp_path / "broken",
        "OTHER": tmp_path / "other",
        "WORLD": world,
    }
    for name, path in names.items():
        arguments, line = arguments.replace(name, str(path)), line.replace(name, str(path))
    assert call(world, tmp_path / "out", *arguments.split()) == 2
    error = capsys.readouterr().err
    assert line in error and error.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"model": ""}, "data.model is not set; give an image model's run"),
        ({"root": ""}, "data.root is not set; give a recording"),
        (
            {"context_frames": FRAMES},
            "no window of 9 frames; record longer episodes, or lower model.context_frames",
        ),
    ],
)
def test_training_names_missing_data(
    change: dict[str, str | int], line: str, world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration.save(tmp_path / "a.yaml", run_of(world))
    name, value = next(iter(change.items()))
    setting = f"{'model' if name == 'context_frames' else 'data'}.{name}={value}"
    arguments = ["--config", str(tmp_path / "a.yaml"), "--out", str(tmp_path / "run"), "--set", setting]
    from speechvq import train

    assert train.main(arguments) == 2
    assert line in capsys.readouterr().err


# -- the prior's directory


@torch.no_grad()
def test_a_prior_and_its_directory(tmp_path: Path) -> None:
    for name, variant in VARIANTS.items():
        prior = prior_of(**variant).float()
        save_video_prior(tmp_path / name, prior)
        loaded = load_video_prior(tmp_path / name)
        assert (loaded.config, loaded.grid, loaded.source) == (prior.config, prior.grid, "abc")
        past, codes = (codes_of(2, frames, prior.grid) for frames in (prior.config.context_frames, 1))
        action, codes = torch.tensor([1, 2]), codes[:, 0]
        torch.testing.assert_close(loaded.nll(past, action, codes), prior.nll(past, action, codes))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"kind": "pixelcnn"}, "no prior over frames"),
        ({"grid": None}, "grid: expected height"),
        ({"grid": {"height": 1000, "width": 1000, "codes_per_position": 1, "num_codes": 60_000}}, "asks for"),
        ({"context_frames": 65}, "context_frames: expected 0 to 64"),
        ({"context_frames": 0}, "model.actions=true with model.context_frames=0"),
        ({"blocks": 3}, "configuration and weights differ"),
        ({"cake": 1}, "unknown key"),
    ],
)
def test_a_hostile_prior_is_refused(change: dict[str, object], line: str, tmp_path: Path) -> None:
    save_video_prior(tmp_path, prior_of().float())
    mapping = read_yaml(tmp_path / "config.yaml") | change
    write_yaml(tmp_path / "config.yaml", mapping)
    with pytest.raises(UserError, match=line):
        load_video_prior(tmp_path)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (None, "needs the codes of a VQ-VAE"),
        ("cake", "image: expected the configuration of an image model"),
        ({"cake": 1}, "unknown key 'image.cake'"),
        ({"codes_per_position": 2}, "image: its codes do not have the shape of the prior's grid"),
        ({"autoencoder": {"size": 8}}, "image: its codes do not have the shape of the prior's grid"),
        ({"autoencoder": {"size": 16, "channels": 4096, "blocks": 64}}, "configuration and weights differ"),
    ],
)
def test_a_hostile_image_model_within_a_prior_is_refused(change: Any, line: str, tmp_path: Path) -> None:
    save_video_prior(tmp_path, prior_of(**VARIANTS["motion"]).float())
    mapping = read_yaml(tmp_path / "config.yaml")
    mapping["image"] = mapping["image"] | change if isinstance(change, dict) else change
    write_yaml(tmp_path / "config.yaml", mapping)
    with pytest.raises(UserError, match=line):
        load_video_prior(tmp_path)


# -- the true frames


def test_ground_truth_of_recorded_and_other_actions(world: Path) -> None:
    root = world / "maze"
    episode = read_window(episode_path(root, 20), 0, FRAMES)
    known = ground_truth_frames(root, 20, 2, episode.actions[2:5])
    assert known is not None and np.array_equal(known, episode.frames[3:6])
    others = np.array([*episode.actions[2:4], (episode.actions[4] + 1) % 6, 0, 0, 0])
    walked = ground_truth_frames(root, 20, 2, others)
    assert walked is not None and walked.shape == (6, 84, 84, 3)
    assert np.array_equal(walked[:2], episode.frames[3:5]) and not np.array_equal(
        walked[2], episode.frames[5]
    )


def test_ground_truth_of_other_worlds_is_that_of_the_recording(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "maze", tmp_path / "doom")
    meta = tmp_path / "doom/meta.json"
    meta.write_text(meta.read_text().replace('"maze"', '"doom"'))
    actions = read_window(episode_path(tmp_path / "doom", 20), 2, 4).actions
    assert ground_truth_frames(tmp_path / "doom", 20, 2, actions) is not None
    assert ground_truth_frames(tmp_path / "doom", 20, 2, (actions + 1) % 6) is None
    assert ground_truth_frames(tmp_path / "doom", 20, 2, np.zeros(50, np.int64)) is None


# -- GIF


def test_a_gif_shows_every_frame(tmp_path: Path) -> None:
    video = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.full((1, 5, 6, 3), 60, np.uint8)
    save_gif(tmp_path / "a.gif", [video, 255 - video], frame_ms=50)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 4 and image.info["duration"] == 50 and image.info["loop"] == 0
        image.seek(3)
        shown = np.asarray(image.convert("RGB"))
    assert np.array_equal(shown, tile_videos([video, 255 - video])[3])
    assert (
        shown.shape == (15, 2 * 18 + 4, 3) and (shown[:, 18:22] == 255).all() and (shown[:, :18] == 180).all()
    )


@pytest.mark.parametrize(
    ("text", "nearest"), [("foward", "forward"), ("strafe_left*3", "strafe-left"), ("LEFT", "left")]
)
def test_the_most_similar_action_is_suggested(text: str, nearest: str) -> None:
    with pytest.raises(UserError, match=f"did you mean '{nearest}'"):
        parse_actions(text)
