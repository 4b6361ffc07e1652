"""The pre-training of the encoder by masked units, against slow computations of its parts."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers.tiny import run_config, speech_config
from speechvq import train
from speechvq.audio.mulaw import MuLawCodec
from speechvq.config import EncoderConfig, MaskedPredictionConfig, QuantizerConfig, SpeechConfig, SpeechRun
from speechvq.errors import UserError
from speechvq.speech.encoder.encoder import Encoder
from speechvq.speech.model import SpeechVQ
from speechvq.training.loop import fit
from speechvq.training.task import run_training
from speechvq.training.tasks import masked_prediction, speech
from speechvq.training.tasks.masked_prediction import CEPSTRA, MaskedPrediction, Units, span_mask


def spectra(rows: int, frames: int, bands: int = 20) -> Tensor:
    """Log-mel spectra that change slowly."""
    noise = torch.randn(rows, frames + 8, bands, generator=torch.Generator().manual_seed(0))
    return noise.unfold(1, 9, 1).mean(-1)


@pytest.mark.parametrize(("hop", "stride"), [(160, 1), (160, 2), (160, 4), (80, 8), (160, 25), (320, 3)])
def test_units_are_the_nearest_discriminants_of_each_window(hop: int, stride: int) -> None:
    """The convolution equals scikit-learn's transformation of windows that are cut out one by one."""
    units, logs = Units(5, hop, stride), spectra(3, 12 * stride)
    units.fit([logs], seed=0)
    assert units(logs).shape == (3, 12) and len(units(logs).unique()) > 2
    length, before = units.window, (units.window - stride) // 2
    assert length * hop >= 0.2 * 16_000 - hop and length >= stride
    orders, bands = np.arange(CEPSTRA)[:, None], np.arange(20) + 0.5
    for row in range(3):
        cepstra = logs[row].numpy() @ np.cos(np.pi * orders * bands / 20).T
        cepstra = (cepstra - cepstra.mean(0)) / (cepstra.std(0, ddof=1) + 1e-3)
        for n in range(12):
            times = np.clip(np.arange(n * stride - before, n * stride - before + length), 0, 12 * stride - 1)
            window = cepstra[times]
            discriminants = np.einsum("pcw,wc->p", units.weight.numpy(), window) + units.bias.numpy()
            distances = ((units.centroids.numpy() - discriminants) ** 2).sum(1)
            assert distances[units(logs)[row, n]] <= distances.min() + 1e-4


def test_units_separate_classes_that_a_frame_does_not() -> None:
    """Two patterns of spectra in another order: single frames are alike, windows of 200 ms are not."""
    bands = torch.arange(20) / 20
    low, high = torch.cos(3 * bands), torch.sin(5 * bands)
    rising = torch.stack([low] * 10 + [high] * 10)
    logs = torch.cat([rising if i % 3 else rising.flip(0) for i in range(90)]).reshape(3, 600, 20)
    logs = logs + 0.01 * torch.randn(logs.shape, generator=torch.Generator().manual_seed(1))
    units = Units(8, 160, 20)
    units.fit([logs], seed=0)
    found, true = units(logs).flatten(), torch.tensor([bool(i % 3) for i in range(90)])
    assert all(len(set(true[found == unit].tolist())) <= 1 for unit in range(8))


def test_units_of_few_classes_and_of_silence_are_finite() -> None:
    units = Units(2, 160, 4)
    units.fit([torch.full((4, 80, 20), -7.0) + 1e-3 * spectra(4, 80)], seed=0)
    assert all(buffer.isfinite().all() for buffer in units.buffers())
    assert set(units(torch.full((1, 80, 20), -7.0)).flatten().tolist()) <= {0, 1}


@pytest.mark.parametrize(("fraction", "span"), [(0.4, 5), (0.8, 10), (0.3, 1), (1.0, 3)])
def test_masked_spans_have_their_length_and_share(fraction: float, span: int) -> None:
    torch.manual_seed(0)
    mask = span_mask((200, 300), fraction, span)
    share = mask.float().mean().item()
    assert share == pytest.approx(1 - (1 - fraction / span) ** span, abs=0.01) and share <= fraction + 0.01
    for row in mask.tolist():
        text = "".join("m" if each else " " for each in row).strip("m")  # spans at the edges are cut
        assert all(len(run) >= span for run in text.split())


def test_nothing_is_masked_at_a_fraction_of_zero() -> None:
    assert not span_mask((3, 7), 0.0, 5).any()


def test_a_masked_spectrum_does_not_reach_the_encoder() -> None:
    encoder = Encoder(
        EncoderConfig((160, 2), 8, mel_bands=20, residual_blocks=1), 8, MuLawCodec(0.0, 256)
    ).eval()
    torch.manual_seed(0)
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    wave, mean = torch.randn(1, 6_400), torch.zeros(1, 20)
    other = torch.cat([wave[:, :3_200], torch.randn(1, 3_200)], dim=1)
    mask = torch.zeros(1, 40, dtype=torch.bool)
    assert torch.equal(encoder(wave, mean, mask), encoder(wave, mean))
    mask[:, 18:] = True  # two spectra before the difference still overlap it
    assert torch.allclose(encoder(wave, mean, mask), encoder(other, mean, mask))
    assert not torch.allclose(encoder(wave, mean), encoder(other, mean))


def test_the_loss_is_the_cross_entropy_of_the_units() -> None:
    torch.manual_seed(0)
    config = MaskedPredictionConfig(steps=1, num_units=6, mask_fraction=0.0)
    encoder = Encoder(EncoderConfig((160, 2), 8, mel_bands=20), 8, MuLawCodec(0.0, 256)).eval()
    prediction = MaskedPrediction(config, encoder, 8)
    wave = torch.randn(2, 6_400)
    assert encoder.frontend is not None
    logs = encoder.frontend.spectrum(encoder.scaled_input(wave))
    prediction.units.fit([logs], seed=0)
    scores, units = prediction.head(encoder(wave)).softmax(-1).detach(), prediction.units(logs)
    expected = [-math.log(scores[b, n, units[b, n]]) for b in range(2) for n in range(20)]
    found = prediction.losses(encoder, wave)
    assert found.loss.item() == pytest.approx(np.mean(expected), rel=1e-5)
    assert not found.loss.requires_grad and found.total.requires_grad


def config(corpus: Path, steps: int = 4, **changes: int) -> SpeechRun:
    plain = run_config(corpus)
    model = speech_config(
        "ema",
        encoder=EncoderConfig((160,), 8, mel_bands=20, augment_strength=0.3),
        masked_prediction=dataclasses.replace(
            MaskedPredictionConfig(steps=steps, batch=2, num_units=8), **changes
        ),
    )
    train = dataclasses.replace(plain.train, steps=2, save_every=1, evaluate_every=2)
    data = dataclasses.replace(plain.data, crop=3_200)
    return dataclasses.replace(plain, model=model, train=train, data=data)


def build(run: SpeechRun) -> torch.nn.Module:
    return speech.build_task(run, torch.device("cpu")).model


def test_the_encoder_learns_first_and_a_resumed_run_is_the_same(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masked_prediction, "FIT_FRAMES", 100)
    run, device = config(corpus), torch.device("cpu")
    task = speech.build_task(run, device)
    assert [stage.name for stage in task.stages] == ["units", "masked_prediction", "codebook", "main"]
    fresh = {name: tensor.clone() for name, tensor in task.model.state_dict().items()}
    fit(task.model, task.stages[:2], tmp_path / "whole", run.train)
    moved = {name for name, tensor in task.model.state_dict().items() if not torch.equal(tensor, fresh[name])}
    assert moved and all(".encoder." in name or name.startswith("prediction.") for name in moved)
    assert run_training(task, tmp_path / "whole", run.train) == 0
    for stop in range(1, 6):  # at the end of each stage and within the pre-training
        again = speech.build_task(run, device)
        stages = again.stages[: max(stop - 1, 1)]
        if stop == 2:
            stages = (again.stages[0], dataclasses.replace(again.stages[1], steps=3))
        fit(again.model, stages, tmp_path / "parts", run.train)
    for name, tensor in task.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name]), name
    model = SpeechVQ.from_pretrained(tmp_path / "whole" / "model")
    assert not any("prediction" in name for name in model.state_dict())


def test_training_lowers_the_loss(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masked_prediction, "FIT_FRAMES", 2_000)
    run = config(corpus, steps=120)
    task = speech.build_task(run, torch.device("cpu"))
    fit(task.model, task.stages[:2], tmp_path, run.train)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    losses = [float(line.split('"loss": ')[1].split(",")[0]) for line in lines if "masked_prediction" in line]
    assert losses[0] < math.log(8) + 0.5 and losses[-1] < losses[0] - 0.2


def test_settings_that_cannot_be(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"masked_prediction\.steps: needs encoder\.mel_bands over 0"):
        SpeechConfig(masked_prediction=MaskedPredictionConfig(steps=1), quantizer=QuantizerConfig())
    monkeypatch.setattr(masked_prediction, "FIT_FRAMES", 100)
    run = config(corpus, num_units=60_000)
    task = speech.build_task(run, torch.device("cpu"))
    with pytest.raises(
        UserError, match=r"masked_prediction\.num_units = 60000: the training crops have only"
    ):
        fit(task.model, task.stages[:1], tmp_path, run.train)


def test_the_configuration_that_is_packaged(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the command: the decoder learns to speak from codes that it does not change."""
    monkeypatch.setattr(masked_prediction, "FIT_FRAMES", 600)
    monkeypatch.setattr(speech, "LEARNED_FACTOR", 1)
    shorter = ("masked_prediction.steps=2", "masked_prediction.batch=2", "source_filter.pretrain_steps=2")
    words = [f"model.{each}" for each in shorter] + ["train.steps=1", f"data.manifest={corpus}"]
    settings = [word for each in words for word in ("--set", each)]
    assert train.main(["--config", "phone640_mel", "--out", str(tmp_path), "--device", "cpu", *settings]) == 0
    announced = [line for line in capsys.readouterr().err.splitlines() if "training stage" in line]
    names = ("units", "masked_prediction", "codebook", "source_filter", "main")
    assert [line.split(": ")[1].split(",")[0] for line in announced] == list(names)
    model = SpeechVQ.from_pretrained(tmp_path / "model")
    codes = model.encode(0.1 * np.random.default_rng(0).standard_normal(16_000).astype(np.float32))
    assert model.config.frame_rate == 25 and len(codes) == 25
