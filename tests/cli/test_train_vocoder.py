"""Training of a speech model with a vocoder: stages, exact resume, export, conversion and enrollment."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import speechvq
from helpers.tiny import run_config, speech_config
from speechvq.config import EncoderConfig, SourceFilterConfig, SpeechRun, VocoderConfig, WaveNetConfig
from speechvq.training.checkpoint import list_checkpoints
from speechvq.training.loop import fit
from speechvq.training.task import run_training
from speechvq.training.tasks import speech
from speechvq.training.tasks.enrollment import enroll


def config(corpus: Path) -> SpeechRun:
    plain = run_config(corpus)
    model = speech_config(
        "ema",
        encoder=EncoderConfig((160,), 8, mel_bands=20),
        wavenet=WaveNetConfig(speaker_dim=3, condition_on_f0=True, condition_on_phase=True),
        source_filter=SourceFilterConfig(
            filter_order=4, num_harmonics=3, channels=8, pretrain_steps=2, pretrain_batch=2
        ),
        vocoder=VocoderConfig(
            channels=8,
            hidden_channels=8,
            layers=2,
            lookahead_frames=1,
            discriminator_channels=2,
            pretrain_steps=2,
        ),
        decoder_segment_length=3_200,
    )
    train = dataclasses.replace(plain.train, steps=4, save_every=2, evaluate_every=4)
    return dataclasses.replace(
        plain, model=model, train=train, data=dataclasses.replace(plain.data, crop=4_800)
    )


@pytest.fixture(scope="module")
def run(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder, settings = tmp_path_factory.mktemp("vocoder"), config(corpus)
    assert run_training(speech.build_task(settings, torch.device("cpu")), folder, settings.train) == 0
    return folder


def test_stages_and_measures(run: Path) -> None:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert list(dict.fromkeys(line["stage"] for line in lines)) == ["source_filter", "vocoder", "main"]
    main = {name for line in lines if line["stage"] == "main" for name in line}
    assert {"mel", "adversarial", "feature_matching", "discriminator"} <= main
    assert {"heldout_mel", "codes_gap_mel", "speaker_gap_mel", "heldout_perplexity"} <= main


def test_only_the_vocoder_learns_in_its_stages(corpus: Path, tmp_path: Path) -> None:
    settings = config(corpus)
    task = speech.build_task(settings, torch.device("cpu"))
    fit(task.model, task.stages[:2], tmp_path, settings.train)
    before = {name: tensor.clone() for name, tensor in task.model.state_dict().items()}
    fit(task.model, task.stages[2:], tmp_path / "rest", settings.train)
    moved = {
        name for name, tensor in task.model.state_dict().items() if not torch.equal(tensor, before[name])
    }
    assert moved and all("vocoder" in name or name.startswith("discriminators.") for name in moved)
    assert {name.split(".")[0] for name in moved} == {"model", "discriminators"}


def test_a_resumed_run_equals_an_unbroken_one(corpus: Path, run: Path, tmp_path: Path) -> None:
    settings = config(corpus)
    shorter = dataclasses.replace(settings.train, steps=4)
    task = speech.build_task(settings, torch.device("cpu"))
    halves = [dataclasses.replace(stage, steps=min(stage.steps, 2)) for stage in task.stages]
    fit(task.model, halves, tmp_path, shorter)  # stops in the main stage at step 2
    fresh = speech.build_task(settings, torch.device("cpu"))
    fit(fresh.model, fresh.stages, tmp_path, shorter)
    newest = [list_checkpoints(folder)[-1] for folder in (run, tmp_path)]
    assert newest[0].name == newest[1].name
    for file in sorted(newest[0].glob("*.safetensors")):
        assert file.read_bytes() == (newest[1] / file.name).read_bytes(), file.name


def test_the_exported_model_converts_and_enrolls(run: Path) -> None:
    model = speechvq.load(run)
    assert not any(name.startswith("discriminators") for name in model.state_dict())
    time = np.arange(48_000) / 16_000
    wave = (0.1 * np.sin(2 * np.pi * 120 * time) * np.sin(2 * np.pi * 3 * time)).astype(np.float32)
    converted = model.convert([wave, wave[:20_000]], "ada")
    assert [len(each) for each in converted] == [48_000, 20_000]
    assert np.allclose(model.convert(wave[:20_000], "ada"), converted[1], atol=1e-4)
    assert len(model.decode(model.encode(wave), "bob")) == 48_000
    enrolled = enroll(model, [wave], steps=2)
    assert np.isfinite([enrolled.before, enrolled.after]).all() and enrolled.nearest in model.speakers
