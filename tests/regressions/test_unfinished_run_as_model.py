"""An unfinished run or a checkpoint as --model was "no model here", without a way to export it."""

import shutil
from pathlib import Path

import pytest

from helpers.tiny import run_config, write_config
from speechvq import train
from speechvq.errors import UserError
from speechvq.speech.model import load_model


def test_the_message_names_the_command_that_exports_it(corpus: Path, tmp_path: Path) -> None:
    run, config = tmp_path / "run", write_config(tmp_path, run_config(corpus, steps=3, save_every=1))
    assert train.main(["--config", str(config), "--out", str(run), "--device", "cpu"]) == 0
    expected = load_model(run)
    with pytest.raises(UserError, match=f"no model directory; the model of this run is {run}/model"):
        load_model(run / "checkpoints/stage_1_step_2")
    shutil.rmtree(run / "model")
    command = f"python -m speechvq.train --out {run} --set train.steps=3; then give {run}"
    for place in (run, run / "checkpoints", run / "checkpoints/stage_1_step_2"):
        with pytest.raises(UserError, match="not finished; export the newest checkpoint") as caught:
            load_model(place)
        assert str(caught.value).endswith(command)
    assert train.main([*command.partition("; then")[0].split()[3:], "--device", "cpu"]) == 0
    assert expected.digest() == load_model(run).digest()


def test_a_folder_without_checkpoints_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "run/checkpoints/stage_0_step_²").mkdir(parents=True)
    (tmp_path / "run/checkpoints/stage_0_step_²/COMPLETE").touch()
    with pytest.raises(UserError, match="no model here"):
        load_model(tmp_path / "run")
