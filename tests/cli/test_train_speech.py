"""What comes before the first step of a speech run: the codebook, then source and filter; and who learns when."""

import dataclasses
from pathlib import Path

import pytest
import torch

from helpers.tiny import WAVENET, run_config, speech_config
from speechvq.config import EncoderConfig, SourceFilterConfig, SpeechRun
from speechvq.speech.model import SpeechVQ
from speechvq.training.task import run_training
from speechvq.training.tasks import speech

HOP = 32


def config(corpus: Path, *, encoder_lr_scale: float = 1.0, order: int = 4, encoder: bool = True) -> SpeechRun:
    """A tiny model with a spectrogram, harmonics and a filter."""
    plain = run_config(corpus)
    model = speech_config(
        "ema",
        encoder=EncoderConfig((HOP,), 8, mel_bands=20),
        wavenet=dataclasses.replace(WAVENET, condition_on_f0=True, condition_on_phase=True),
        source_filter=SourceFilterConfig(
            filter_order=order,
            num_harmonics=order and 3,
            channels=8,
            pretrain_steps=3,
            pretrain_batch=2,
            pretrain_encoder=encoder,
        ),
    )
    train = dataclasses.replace(
        plain.train, encoder_lr_scale=encoder_lr_scale, steps=2, save_every=1, evaluate_every=2
    )
    return dataclasses.replace(
        plain, model=model, train=train, data=dataclasses.replace(plain.data, crop=1_600)
    )


def begun(run: SpeechRun) -> SpeechVQ:
    task = speech.build_task(run, torch.device("cpu"))
    task.pretrain()
    assert isinstance(task.model, SpeechVQ)
    return task.model


def test_a_run_begins_with_a_codebook_among_its_vectors(corpus: Path) -> None:
    run = config(corpus, order=0)
    fresh = speech.build_task(run, torch.device("cpu")).model
    model = begun(run)
    assert isinstance(fresh, SpeechVQ) and not fresh.quantizer.initialized and model.quantizer.initialized
    assert torch.equal(model.encoder.project.bias, fresh.encoder.project.bias), "nothing has learnt yet"
    assert torch.equal(begun(run).quantizer.codebook, model.quantizer.codebook), "seeded"


@pytest.mark.parametrize("encoder", [False, True])
def test_source_and_filter_learn_first_and_the_wavenet_waits(corpus: Path, encoder: bool) -> None:
    run = config(corpus, encoder=encoder)
    fresh, taught = speech.build_task(run, torch.device("cpu")).model, begun(run)
    moved = {
        name.split(".")[0] + "." + name.split(".")[1]
        for name, weight in taught.named_parameters()
        if not torch.equal(weight, fresh.get_parameter(name))
    }
    assert "decoder.source_filter" in moved
    assert any(name.startswith("encoder.") for name in moved) == encoder
    unmoved = ("decoder.wavenet.layers.0.gate", "decoder.wavenet.hidden.weight", "decoder.wavenet.embedding")
    assert all(torch.equal(taught.get_parameter(name), fresh.get_parameter(name)) for name in unmoved)
    assert taught.training and taught.encoder.training and taught.quantizer.training
    again = begun(run)
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), taught.state_dict().values()))


def test_it_comes_once_also_when_a_run_goes_on(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(speech, "_begin", lambda *_: calls.append("begun"))
    run = config(corpus)
    assert run_training(speech.build_task(run, torch.device("cpu")), tmp_path, run.train) == 0
    longer = dataclasses.replace(run.train, steps=3)
    assert run_training(speech.build_task(run, torch.device("cpu")), tmp_path, longer) == 0
    assert calls == ["begun"] and "resuming from" in capsys.readouterr().err


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_what_the_wavenet_relies_on_stays_as_it_is(corpus: Path, tmp_path: Path, rate: float) -> None:
    """Source, filter and the voices; and encoder and codebook where the rate is 0, whatever the mode."""
    run = config(corpus, encoder_lr_scale=rate)
    task = speech.build_task(run, torch.device("cpu"))
    task.pretrain()
    before = {name: tensor.clone() for name, tensor in task.model.state_dict().items()}
    run_training(task._replace(pretrain=lambda: None), tmp_path, run.train)
    for name, tensor in task.model.state_dict().items():
        if name.startswith(("decoder.source_filter.", "decoder.wavenet.conditioning.speaker_embedding")):
            assert torch.equal(tensor, before[name]), name
        if name.startswith(("encoder.", "quantizer.")) and rate == 0:
            assert torch.equal(tensor, before[name]), name
    moved = ("decoder.wavenet.hidden.weight", *(["encoder.project.weight"] if rate else []))
    assert not any(torch.equal(task.model.get_parameter(name), before[name]) for name in moved)
