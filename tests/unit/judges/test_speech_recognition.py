"""Speech recognition with a stub network: CTC decoding, and one clear error without a download."""

from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchaudio.pipelines import WAV2VEC2_ASR_BASE_960H

from speechvq.errors import UserError
from speechvq.judges.speech_recognition import SpeechRecognizer

LETTERS = ("-", "|", "A", "B")


class StubNetwork(torch.nn.Module):
    """Returns CTC logits of "ab ba" with repeats and blanks, and records the shapes of its inputs."""

    shapes: list[torch.Size] = []

    def forward(self, waves: torch.Tensor) -> tuple[torch.Tensor, None]:
        assert not self.training and waves.dtype == torch.float32
        self.shapes.append(waves.shape)
        best = torch.tensor([LETTERS.index(letter) for letter in "--AA-BB||B-AA|"])
        return torch.nn.functional.one_hot(best, len(LETTERS)).float()[None], None


class Bundle:
    """A stub for a bundle of torchaudio.pipelines."""

    sample_rate = 16_000

    def get_model(self) -> torch.nn.Module:
        return StubNetwork()

    def get_labels(self) -> tuple[str, ...]:
        return LETTERS


def test_greedy_ctc_decoding() -> None:
    recognizer = SpeechRecognizer(Bundle())
    assert recognizer.transcribe(np.zeros(16_000)) == "ab ba" == recognizer.transcribe(np.zeros(0))
    assert StubNetwork.shapes == [(1, 16_000), (1, 400)]


def test_failed_download(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    bundle = Bundle()
    monkeypatch.setattr(bundle, "get_model", fail)
    monkeypatch.setattr(type(WAV2VEC2_ASR_BASE_960H), "get_model", fail)
    for each in (bundle, None):
        with pytest.raises(UserError, match="no route to host.*another recognizer by --whisper"):
            SpeechRecognizer(each)


def test_other_sample_rates_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bundle, "sample_rate", 8_000)
    with pytest.raises(ValueError, match="8000 Hz"):
        SpeechRecognizer(Bundle())
