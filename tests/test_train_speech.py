"""What comes before the first step of a speech run: the codebook, then source and filter; and who learns when."""

import dataclasses
from pathlib import Path

import pytest
import torch

from speechvq.config import EncoderConfig, SourceFilterConfig, SpeechRun
from speechvq.speech.model import SpeechVQ
from speechvq.train import speech
from speechvq.train.lesson import learn
from tiny import WAVENET, run_config, speech_config

HOP = 32


def config(corpus: Path, *, encoder_rate: float = 1.0, steps: int = 3) -> SpeechRun:
    """A tiny model with a spectrogram, harmonics and a filter."""
    plain = run_config(corpus)
    model = speech_config(
        "ema",
        encoder=EncoderConfig((HOP,), 8, mel=20),
        wavenet=dataclasses.replace(WAVENET, pitch=True, phase=True),
        source_filter=SourceFilterConfig(order=4, harmonics=3, units=8, steps=steps, batch=2),
    )
    train = dataclasses.replace(plain.train, encoder_rate=encoder_rate, steps=2, save_every=1, evaluate_every=2)
    return dataclasses.replace(plain, model=model, train=train, data=dataclasses.replace(plain.data, crop=1_600))


def begun(run: SpeechRun) -> SpeechVQ:
    lesson = speech.lesson(run, torch.device("cpu"))
    lesson.begin()
    assert isinstance(lesson.model, SpeechVQ)
    return lesson.model


def test_a_run_begins_with_a_codebook_among_its_vectors(corpus: Path) -> None:
    run = config(corpus, steps=0)
    fresh = speech.lesson(run, torch.device("cpu")).model
    model = begun(run)
    assert isinstance(fresh, SpeechVQ) and not fresh.quantizer.initialised and model.quantizer.initialised
    assert torch.equal(model.encoder.project.bias, fresh.encoder.project.bias), "nothing has learnt yet"
    assert torch.equal(begun(run).quantizer.codebook, model.quantizer.codebook), "seeded"


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_source_and_filter_learn_first_and_the_wavenet_waits(corpus: Path, rate: float) -> None:
    laid, taught = begun(config(corpus, steps=0)), begun(config(corpus, encoder_rate=rate))
    moved = {
        name.split(".")[0] + "." + name.split(".")[1]
        for name, weight in taught.named_parameters()
        if not torch.equal(weight, laid.get_parameter(name))
    }
    assert "decoder.source_filter" in moved
    assert any(name.startswith("encoder.") for name in moved) == (rate > 0)
    unmoved = ("decoder.wavenet.layers.0.gate", "decoder.wavenet.hidden.weight", "decoder.wavenet.embedding")
    assert all(torch.equal(taught.get_parameter(name), laid.get_parameter(name)) for name in unmoved)
    assert taught.training and taught.encoder.training and taught.quantizer.training
    again = begun(config(corpus, encoder_rate=rate))
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), taught.state_dict().values()))


def test_it_comes_once_also_when_a_run_goes_on(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(speech, "_begin", lambda *_: calls.append("begun"))
    run = config(corpus)
    assert learn(speech.lesson(run, torch.device("cpu")), tmp_path, run.train) == 0
    longer = dataclasses.replace(run.train, steps=3)
    assert learn(speech.lesson(run, torch.device("cpu")), tmp_path, longer) == 0
    assert calls == ["begun"] and "resuming from" in capsys.readouterr().err


def test_an_encoder_without_a_rate_stays_as_it_began(corpus: Path, tmp_path: Path) -> None:
    run = config(corpus, encoder_rate=0.0, steps=1)
    lesson = speech.lesson(run, torch.device("cpu"))
    lesson.begin()
    before = {name: weight.clone() for name, weight in lesson.model.named_parameters()}
    learn(lesson._replace(begin=lambda: None), tmp_path, run.train)
    for name, weight in lesson.model.named_parameters():
        assert torch.equal(weight, before[name]) == name.startswith("encoder."), name
