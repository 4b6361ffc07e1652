"""Codes of an episode stayed in the model's cache after the episode was replaced, also by an older file."""

import os
import shutil
from pathlib import Path

import numpy as np

from speechvq.images.model_directory import load_image_model
from speechvq.video.recording.codes import cached_episodes
from speechvq.video.recording.dataset import episodes
from unit.video.test_video_codes import world  # noqa: F401  # a fixture


def test_a_replaced_episode_is_encoded_again(world: Path, tmp_path: Path) -> None:  # noqa: F811
    for name in ("model", "maze"):
        shutil.copytree(world / name, tmp_path / name)
    model = load_image_model(tmp_path / "model")
    before = cached_episodes(tmp_path / "model", model, tmp_path / "maze", "dev").codes
    first, second = episodes(tmp_path / "maze", "dev")
    shutil.copy(second, first)
    os.utime(first, (1, 1))
    after = cached_episodes(tmp_path / "model", model, tmp_path / "maze", "dev").codes
    assert np.array_equal(after[0], before[1]) and not np.array_equal(after[0], before[0])
