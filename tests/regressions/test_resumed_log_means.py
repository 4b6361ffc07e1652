"""After a resume between two log lines, the next line held the means of only the steps since the resume."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from helpers.tiny import MODEL, SPEAKERS, noise
from speechvq.config import TrainConfig
from speechvq.speech.model import SpeechVQ
from speechvq.training import loop
from speechvq.training.signals import Interrupted
from speechvq.training.stage import main_stage


def test_means_include_the_steps_before_the_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 6)

    def run(folder: Path, stop: int) -> list[float]:
        def batches(step: int) -> Iterator[tuple[Tensor, ...]]:
            while True:
                step += 1
                if step == stop:
                    signal.raise_signal(signal.SIGTERM)
                yield noise(2, 320, step), torch.tensor([0, 1])

        torch.manual_seed(0)
        model, config = SpeechVQ(MODEL, SPEAKERS), TrainConfig(steps=6, warmup=0)
        loop.fit(model, [main_stage(model, batches, lambda _: {}, config)], folder, config)
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        return [line["nats"] for line in map(json.loads, lines) if "nats" in line]

    with pytest.raises(Interrupted):
        run(tmp_path / "stopped", stop=4)
    assert run(tmp_path / "stopped", stop=0) == run(tmp_path / "uninterrupted", stop=0)
