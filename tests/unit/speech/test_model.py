"""The speech model: speaker names, silence, single samples, levels, chunked conversion and mistakes."""

import math

import numpy as np
import pytest
import torch

from helpers.tiny import MODEL, SPEAKERS, f0_model, noise, speech_config, speech_model
from speechvq.audio.f0 import F0_HOP
from speechvq.audio.f0_conditioning import f0_at_code_rate
from speechvq.errors import UserError
from speechvq.speech import model as speech_model_module
from speechvq.speech.model import SpeechVQ, match_level
from speechvq.speech.sampling import overlap_add


def test_an_unknown_speaker_gets_the_closest_names() -> None:
    model = SpeechVQ(MODEL, [f"p{n}" for n in range(220, 320)])
    assert model.speaker_index("p225") == 5
    with pytest.raises(
        UserError, match="unknown speaker 'p2240'; nearest: p240, p224, .*--list-speakers"
    ) as caught:
        model.speaker_index("p2240")
    assert str(caught.value).count(", ") == 4
    with pytest.raises(UserError, match="unknown speaker"):
        model.convert(np.zeros(8, np.float32), "nobody")


@pytest.mark.parametrize("codes", [[8], [-1], [0, 3, 99]])
def test_codes_outside_the_codebook_are_refused(codes: list[int]) -> None:
    with pytest.raises(UserError, match="this model has 8"):
        speech_model().decode([np.array(codes)], ["ada"])


def test_empty_inputs_give_empty_outputs() -> None:
    model, empty = speech_model(), np.empty(0, np.float32)
    assert model.encode(empty).shape == (0,)
    assert model.convert(empty, "ada").shape == (0,)
    assert model.decode([], []) == []
    assert [len(wave) for wave in model.decode([np.empty(0, np.int64)] * 2, ["ada", "bob"])] == [0, 0]


def test_silence_and_a_single_sample_are_valid_inputs() -> None:
    model = speech_model()
    assert not model.convert(np.zeros(100, np.float32), "ada").any()
    assert len(np.unique(model.encode(np.zeros(800, np.float32))[5:-5])) == 1
    one = model.convert(np.array([0.5], np.float32), "ada")
    assert one.shape == (1,) and np.isfinite(one).all()


def test_a_conversion_has_the_level_of_its_source() -> None:
    model = speech_model()
    for level in (0.001, 0.1):
        wave = level * noise(1, 600)[0].numpy() / 0.06
        converted = model.convert(wave, "bob", seed=1)
        assert math.isclose(rms(converted), rms(wave), rel_tol=1e-3)


def test_match_level_stays_below_full_scale() -> None:
    click = np.zeros(1_000, np.float32)
    click[3] = 0.1
    assert np.abs(match_level(click, np.full(10, 0.9, np.float32))).max() <= 1.0
    assert not match_level(click, np.zeros(5, np.float32)).any()


def rms(wave: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(wave, dtype=np.float64))))


@pytest.mark.parametrize("mode", ["loss", "ema"])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_every_parameter_gets_a_gradient(mode: str, precision: torch.dtype) -> None:
    model = speech_model(speech_config(mode, jitter=0.1)).train()
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        losses = model(noise(3, 320, seed=4), torch.tensor([0, 1, 2]))
    losses.total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert name.endswith("bias") or parameter.grad.any(), name


def test_the_loss_of_an_untrained_model_is_about_that_of_the_uniform_distribution() -> None:
    model = speech_model()
    losses = model(noise(4, 640), torch.tensor([0, 1, 2, 0]))
    assert abs(float(losses.nats) - math.log(MODEL.wavenet.mulaw_bins)) < 1.0


def test_jitter_applies_in_training_only() -> None:
    model, wave = speech_model(speech_config(jitter=0.5)), noise(2, 320)
    speakers = torch.tensor([0, 1])
    assert model(wave, speakers).nats == model(wave, speakers).nats
    assert tuple(model.speakers) == SPEAKERS


def vibrato(seconds: float) -> np.ndarray:
    """Pulses with vibrato and pauses."""
    time = np.arange(round(16_000 * seconds)) / 16_000
    phase = np.cumsum(150 + 40 * np.sin(2 * np.pi * time)) / 16_000
    wave = np.diff(np.floor(phase), prepend=0.0) * (np.sin(5 * time) > -0.5)
    return wave.astype(np.float32)


@pytest.mark.parametrize("seconds", [0.01, 0.5, 0.75])
def test_one_chunk_equals_the_unchunked_conversion(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap_add, "SEGMENT", 0.4)
    model, wave = f0_model(), vibrato(seconds)
    assert np.array_equal(
        model.convert(wave, "bob", seed=2), model.convert(wave, "bob", seed=2, chunked=True)
    )


def test_joined_chunks_have_the_sources_length_and_report_errors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(overlap_add, "SEGMENT", 0.4)
    monkeypatch.setattr(speech_model_module, "CHUNKS_AT_ONCE", 2)
    model, wave, fractions = f0_model(), vibrato(2.503), list[float]()
    joined = model.convert_chunked(wave, "bob", seed=2, on_chunks=fractions.append)
    count = len(overlap_add.split(-(-len(wave) // 8), 8))
    assert count > 3 and joined.errors.shape == (count - 1,) and (joined.errors >= 0).all()
    assert joined.wave.shape == (8 * -(-len(wave) // 8),) and np.isfinite(joined.wave).all()
    assert fractions == sorted(fractions) and len(fractions) == -(-count // 2) and fractions[-1] == 1.0
    converted = model.convert(wave, "bob", seed=2, chunked=True)
    assert converted.shape == wave.shape and math.isclose(rms(converted), rms(wave), rel_tol=1e-2)
    first = 8 * overlap_add.split(-(-len(wave) // 8), 8)[1].start + round(16_000 * overlap_add.WARMUP)
    (whole,) = model.decode([model.encode(wave)], ["bob"], f0=[model._target_f0(wave, "bob")], seed=2)
    assert np.array_equal(joined.wave[:first], whole[:first]), "the samples before the first join are exact"


@pytest.mark.parametrize("hop", [8, 64, 128, 160, 640])
def test_the_contour_of_a_chunk_is_part_of_the_whole(hop: int) -> None:
    """At the code rate, except for the last 5 ms, whose nearest F0 frame lies beyond the chunk."""
    frames = round(11.3 * 16_000 / hop)
    contour = torch.arange(-(-frames * hop // F0_HOP)).float()
    whole = f0_at_code_rate(contour[None], frames, hop)[0]
    for chunk in overlap_add.split(frames, hop):
        own = contour[chunk.start * hop // F0_HOP : -(-chunk.stop * hop // F0_HOP)]
        part = f0_at_code_rate(own[None], chunk.stop - chunk.start, hop)[0]
        known = len(part) - -(-F0_HOP // hop // 2) - 1
        assert torch.equal(part[:known], whole[chunk.start : chunk.stop][:known])


def test_an_empty_waveform_can_be_chunked() -> None:
    model, empty = speech_model(), np.empty(0, np.float32)
    assert model.convert(empty, "ada", chunked=True).shape == (0,)
