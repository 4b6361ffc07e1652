"""`evaluate voices`: quality by speaker, in the table, in JSON, and in the model's list of speakers."""

import json
from pathlib import Path

import numpy as np
import pytest

from helpers.audio_files import save_tiny_model, write_tone
from helpers.tiny import SPEAKERS
from speechvq import convert, evaluate
from speechvq.data.manifest import Utterance, write_manifest
from speechvq.judges import speech_quality
from speechvq.results.voices import VoicesResult
from speechvq.speech.model_directory import find_speech_model
from speechvq.speech.speakers.speaker_facts import SpeakerFacts, load_speaker_facts, save_speaker_facts


@pytest.fixture(autouse=True)
def level_as_quality(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge of a recording of the manifest is 4, of any other sound 2."""

    class Level:
        def overall_score(self, wave: np.ndarray) -> float:
            return 4.0 if np.ptp(np.abs(np.fft.rfft(wave)).argsort()[-3:]) < 5 else 2.0  # a pure tone

    monkeypatch.setattr(speech_quality, "DnsmosModel", Level)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Sentences of the first two speakers of the tiny model, and of another."""
    path, rows = tmp_path / "data", []
    parts = (("train", 9.0), ("test", 3.0), ("dev", 2.5), ("dev", 2.0), ("dev", 1.0))
    for speaker in (*SPEAKERS[:2], "zoe"):
        for i, (split, seconds) in enumerate(parts):
            audio = write_tone(path / f"{speaker}_{i}.wav", samples=400)
            rows.append(Utterance(f"{speaker}_{i}", speaker, split, seconds, audio))
    write_manifest(path / "manifest.tsv", rows)
    return path


def test_the_quality_is_printed_and_saved_for_the_list_of_speakers(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_tiny_model(tmp_path / "run")
    place = find_speech_model(model)
    save_speaker_facts(place, {"ada": SpeakerFacts("F", 12.5)})
    flags = ["--model", str(model), "--manifest", str(manifest), "--sentences", "2"]
    assert evaluate.main(["voices", *flags, "--json", str(tmp_path / "a.json")]) == 0
    printed = capsys.readouterr().out
    assert "left out: cyd: no recording of 2 s or more in these splits" in printed
    assert "interval of the mean over speakers: 2.00 to 2.00" in printed
    result = VoicesResult.load(tmp_path / "a.json")
    assert result.to_json() == json.loads((tmp_path / "a.json").read_text())
    found = {each.speaker: each for each in result.voices}
    assert found.keys() == {"ada", "bob"} and result.without_sentences == ["cyd"]
    assert [found["ada"].sentences, found["ada"].seconds] == [2, 4.5]  # the shortest of 2 s or more
    assert (found["bob"].resynthesis, found["bob"].recordings) == (2.0, 4.0)
    assert load_speaker_facts(place)["ada"].resynthesis_dnsmos is None
    assert evaluate.main(["voices", *flags, "--save"]) == 0
    assert load_speaker_facts(place)["ada"] == SpeakerFacts("F", 12.5, 2.0)
    capsys.readouterr()
    assert convert.main(["--model", str(model), "--list-speakers"]) == 0
    assert "2.00" in capsys.readouterr().out


def test_a_manifest_of_other_speakers_is_refused(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model", str(save_tiny_model(tmp_path / "run")), "--manifest", str(manifest)]
    assert evaluate.main(["voices", *flags, "--split", "unseen"]) == 2
    assert "no recording of 2 s or more by a speaker of" in capsys.readouterr().err.splitlines()[-1]
