"""Codes of a recording: computed once by the model, with their actions; unsuitable inputs are refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.image_data import model_of
from helpers.video_data import EPISODES, FRAMES, make_world
from speechvq.errors import UserError
from speechvq.images.model_directory import load_image_model, save_image_model
from speechvq.video.recording.codes import CodedEpisodes, cached_episodes, decode_frames, encode_frames
from speechvq.video.recording.dataset import episodes
from speechvq.video.recording.episode import read_window


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("world"))


def test_codes_are_those_of_the_model_with_the_actions(world: Path) -> None:
    model = load_image_model(world / "model")
    coded = cached_episodes(world / "model", model, world / "maze", "dev")
    paths = episodes(world / "maze", "dev")
    assert coded.codes.shape == (len(paths), FRAMES, 21, 21, 1) and coded.codes.dtype == np.uint8
    for path, codes, actions in zip(paths, coded.codes, coded.actions):
        episode = read_window(path, 0, FRAMES)
        assert np.array_equal(actions, episode.actions)
        expected = [
            model.encode(torch.from_numpy(frame.transpose(2, 0, 1).copy())[None]) for frame in episode.frames
        ]
        assert torch.equal(torch.cat(expected), torch.from_numpy(codes.astype(np.int64)))


def test_frames_are_encoded_and_decoded(world: Path) -> None:
    model = load_image_model(world / "model")
    frames = read_window(episodes(world / "maze", "test")[0], 0, 3).frames
    codes = encode_frames(model, frames)
    pixels = torch.from_numpy(frames.transpose(0, 3, 1, 2).copy())
    expected = model.reconstruct(pixels).permute(0, 2, 3, 1).numpy()
    assert codes.shape == (3, 21, 21, 1) and np.array_equal(decode_frames(model, codes), expected)


def test_codes_are_computed_once(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_image_model(world / "model")
    first = cached_episodes(world / "model", model, world / "maze", "train")
    monkeypatch.setattr(type(model), "encode", None)
    again = cached_episodes(world / "model", model, world / "maze", "train")
    assert np.array_equal(first.codes, again.codes) and len(first.codes) == EPISODES - 4


def test_windows_by_index() -> None:
    codes = np.arange(3 * 5, dtype=np.uint8).reshape(3, 5, 1, 1, 1)
    coded = CodedEpisodes(codes, np.arange(12, dtype=np.uint8).reshape(3, 4) % 6)
    assert (coded.count(3), coded.count(5), coded.count(6)) == (9, 3, 0)
    some, actions = coded.windows([0, 2, 3, 8], 3)
    assert some[..., 0, 0, 0].tolist() == [[0, 1, 2], [2, 3, 4], [5, 6, 7], [12, 13, 14]]
    assert actions.tolist() == [[0, 1], [2, 3], [4, 5], [4, 5]] and some.dtype == actions.dtype == torch.int64
    assert coded.windows([4], 1)[1].shape == (1, 0)


@pytest.mark.parametrize("damage", ["cut", "text", "other", "large"])
def test_damaged_codes_are_named(damage: str, world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "model", tmp_path / "model")
    model = load_image_model(tmp_path / "model")
    cached_episodes(tmp_path / "model", model, world / "maze", "dev")
    path = next((tmp_path / "model/codes").rglob("000001.npz"))
    match damage:
        case "cut":
            path.write_bytes(path.read_bytes()[:60])
        case "text":
            path.write_text("codes")
        case "other":
            np.savez(path, codes=np.zeros((2, 21, 21, 1), np.uint8), actions=np.zeros(1, np.uint8))
        case "large":
            codes, actions = np.full((FRAMES, 21, 21, 1), 4, np.uint8), np.zeros(FRAMES - 1, np.uint8)
            np.savez(path, codes=codes, actions=actions)
    with pytest.raises(UserError, match=f"{path.name}: .*remove it, and it is computed again"):
        cached_episodes(tmp_path / "model", model, world / "maze", "dev")
    path.unlink()
    assert len(cached_episodes(tmp_path / "model", model, world / "maze", "dev").codes) == 2


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("image_vqvae", "frames of 84 pixels, but the model expects 8"),
        ("image_vae", "a VAE has no codes"),
    ],
)
def test_unsuitable_models_are_refused(kind: str, line: str, world: Path, tmp_path: Path) -> None:
    save_image_model(tmp_path, model_of(kind))
    with pytest.raises(UserError, match=line):
        cached_episodes(tmp_path, load_image_model(tmp_path), world / "maze", "dev")
