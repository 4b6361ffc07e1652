"""The real path with a stand-in network: letters out of scores, and one clear error without a network."""

from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchaudio.pipelines import WAV2VEC2_ASR_BASE_960H

from speechvq.errors import UserError
from speechvq.judges.speech_recognition import SpeechRecognizer

LETTERS = ("-", "|", "A", "B")


class Network(torch.nn.Module):
    """Says "ab ba" to every sound, with repeats and blanks as CTC has them; notes what it was given."""

    heard: list[torch.Size] = []

    def forward(self, waves: torch.Tensor) -> tuple[torch.Tensor, None]:
        assert not self.training and waves.dtype == torch.float32
        self.heard.append(waves.shape)
        best = torch.tensor([LETTERS.index(letter) for letter in "--AA-BB||B-AA|"])
        return torch.nn.functional.one_hot(best, len(LETTERS)).float()[None], None


class Bundle:
    """A stand-in for one of torchaudio.pipelines."""

    sample_rate = 16_000

    def get_model(self) -> torch.nn.Module:
        return Network()

    def get_labels(self) -> tuple[str, ...]:
        return LETTERS


def test_letters_become_words() -> None:
    recogniser = SpeechRecognizer(Bundle())
    assert recogniser.transcribe(np.zeros(16_000)) == "ab ba" == recogniser.transcribe(np.zeros(0))
    assert Network.heard == [(1, 16_000), (1, 400)]


def test_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    bundle = Bundle()
    monkeypatch.setattr(bundle, "get_model", fail)
    monkeypatch.setattr(type(WAV2VEC2_ASR_BASE_960H), "get_model", fail)
    for each in (bundle, None):
        with pytest.raises(UserError, match="cannot be downloaded .*no route to host.*--wer needs"):
            SpeechRecognizer(each)


def test_another_rate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bundle, "sample_rate", 8_000)
    with pytest.raises(ValueError, match="8000 Hz"):
        SpeechRecognizer(Bundle())
