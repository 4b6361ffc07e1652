"""Conversion of a stream: any cut gives the same samples, with the stated latency and bounded state."""

import dataclasses
import gc
import tracemalloc

import numpy as np
import pytest
import torch

from helpers.live_model import CONFIG, live_model, speech
from speechvq.audio.f0 import F0_HOP, WINDOW, f0_contour
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.config import VocoderConfig
from speechvq.errors import UserError
from speechvq.quantizer import nearest_code
from speechvq.speech.frame_network import FrameNetwork
from speechvq.speech.model import SpeechVQ
from speechvq.speech.streaming.conversion import ConversionStream
from speechvq.speech.streaming.encoder import NearestCode, SpectrumStream
from speechvq.speech.streaming.f0 import F0Stream
from speechvq.speech.streaming.layers import FrameNetworkStream, Linear
from speechvq.speech.streaming.vocoder import VocoderStream


@pytest.fixture(scope="module")
def model() -> SpeechVQ:
    return live_model()


def in_blocks(stream: ConversionStream, wave: np.ndarray, cuts: list[int]) -> np.ndarray:
    parts = [stream.push(part) for part in np.split(wave, cuts)]
    return np.concatenate([*parts, stream.flush()])


def test_any_cut_gives_the_same_samples(model: SpeechVQ) -> None:
    wave, rng = speech(1.5), np.random.default_rng(1)
    whole = in_blocks(ConversionStream(model, "bob"), wave, [])
    assert whole.shape == wave.shape and np.abs(whole).max() > 1e-4
    for number in (1, 7, 40):
        cuts = sorted(rng.integers(0, len(wave), number).tolist())
        assert np.allclose(in_blocks(ConversionStream(model, "bob"), wave, cuts), whole, atol=1e-5)


def test_live_conversion_of_a_recording_is_that_of_a_stream(model: SpeechVQ) -> None:
    waves = [speech(0.7), speech(0.5, seed=3)]
    for wave, converted in zip(waves, model.convert(waves, ["ada", "bob"], live=True)):
        assert converted.shape == wave.shape
    stream = model.stream("ada")
    assert np.array_equal(
        np.concatenate([stream.push(waves[0]), stream.flush()]), model.convert(waves[0], "ada", live=True)
    )


def test_samples_come_with_the_stated_latency(model: SpeechVQ) -> None:
    stream = ConversionStream(model, "ada")
    latency = round(stream.latency_ms * 16)
    assert stream.latency_ms == 71
    returned = 0
    for frame in range(60):
        returned += len(stream.push(np.zeros(F0_HOP, np.float32)))
        pushed = (frame + 1) * F0_HOP
        assert returned == max(pushed - latency + F0_HOP, 0)


def test_a_later_sample_changes_nothing_that_was_returned(model: SpeechVQ) -> None:
    wave = speech(1.0)
    first, second = ConversionStream(model, "ada"), ConversionStream(model, "ada")
    returned = first.push(wave[:8_000])
    assert np.array_equal(second.push(wave[:8_000]), returned)
    both = np.concatenate([returned, first.push(wave[8_000:])])
    other = np.concatenate([returned, second.push(0.3 * wave[8_000:][::-1])])
    assert not np.array_equal(both, other) and np.array_equal(both[: len(returned)], other[: len(returned)])


def test_the_state_stays_bounded(model: SpeechVQ) -> None:
    stream, wave = ConversionStream(model, "ada"), speech(1.0)

    def size() -> int:
        kept = [stream._gains, stream._input, stream._vocoder._source, stream._spectrum._kept]
        queues = [stream._vectors, stream._f0s, stream._frames, stream._f0._history]
        return sum(map(len, kept)) + sum(map(len, queues))

    sizes = []
    for _ in range(6):
        stream.push(wave)
        sizes.append(size())
    assert sizes[1:] == sizes[:-1]


def test_the_memory_of_a_stream_does_not_grow(model: SpeechVQ) -> None:
    """In blocks of 20 ms. A frame that was kept of each block would be 128 kB in these four seconds."""
    stream, wave = ConversionStream(model, "ada"), speech(2.0)
    held = []
    tracemalloc.start()
    try:
        for _ in range(3):
            for block in np.split(wave, range(320, len(wave), 320)):
                stream.push(block)
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert held[-1] - held[0] < 100_000, held


def test_another_speaker_comes_without_a_click(model: SpeechVQ) -> None:
    wave = speech(2.0)
    stream, plain = ConversionStream(model, "ada"), ConversionStream(model, "ada")
    first = stream.push(wave[:16_000])
    assert np.array_equal(first, plain.push(wave[:16_000]))
    stream.set_speaker("bob")
    changed, same = stream.push(wave[16_000:]), plain.push(wave[16_000:])
    assert not np.allclose(changed, same, atol=1e-4)
    steps = np.abs(np.diff(np.concatenate([first, changed])))
    assert steps.max() < 2 * np.abs(np.diff(np.concatenate([first, same]))).max()
    with pytest.raises(UserError, match="unknown speaker"):
        stream.set_speaker("eve")


def test_bad_samples_become_silence_and_are_counted(model: SpeechVQ) -> None:
    stream, wave = ConversionStream(model, "ada"), speech(0.5)
    wave[1000:1100] = np.nan
    wave[3000] = np.inf
    out = np.concatenate([stream.push(wave), stream.flush()])
    assert stream.bad_samples == 101 and np.isfinite(out).all() and len(out) == len(wave)
    with pytest.raises(ValueError, match="mono"):
        stream.push(np.zeros((2, 100), np.float32))


def test_models_that_need_the_whole_recording_are_refused(model: SpeechVQ) -> None:
    plain = SpeechVQ(dataclasses.replace(CONFIG, vocoder=VocoderConfig()), ["ada"]).eval()
    with pytest.raises(UserError, match="WaveNet"):
        ConversionStream(plain, "ada")
    symmetric = dataclasses.replace(CONFIG, encoder=dataclasses.replace(CONFIG.encoder, lookahead_frames=-1))
    with pytest.raises(UserError, match="lookahead_frames"):
        ConversionStream(SpeechVQ(symmetric, ["ada"]).eval(), "ada")


def test_a_frame_network_on_a_stream_equals_the_whole() -> None:
    torch.manual_seed(0)
    network = FrameNetwork(3, 2, 8, depth=4, condition_on_f0=False, dilations=(1, 2, 4), lookahead=4)
    x = torch.randn(1, 40, 3)
    with torch.no_grad():
        whole = network(x, torch.zeros(1, 2))[0].T.numpy()
    inputs, stream = np.pad(x[0].numpy(), ((0, 0), (0, 2))), FrameNetworkStream(network)
    found = np.concatenate([stream.push(part) for part in np.split(inputs, [1, 2, 7, 7, 20])])
    assert len(found) == 40 - stream.lookahead
    assert np.allclose(found, whole[: len(found)], atol=1e-6)


def test_spectra_on_a_stream_equal_the_whole(model: SpeechVQ) -> None:
    assert model.encoder.frontend is not None
    wave = speech(0.5)
    with torch.no_grad():
        scaled = model.encoder.scaled_input(torch.from_numpy(wave)[None])
        whole = model.encoder.frontend.spectrum(scaled)[0].numpy()
    stream = SpectrumStream(model.encoder)
    found = np.concatenate([stream.push(part) for part in np.split(wave, range(333, len(wave), 333))])
    assert len(found) == len(whole) - 1
    assert np.allclose(found, whole[: len(found)], atol=1e-4)


def test_the_vocoder_on_a_stream_equals_the_whole(model: SpeechVQ) -> None:
    vocoder, frames = model.decoder.vocoder, 30
    assert vocoder is not None
    source, log_mel = 0.1 * torch.randn(1, frames * F0_HOP), torch.randn(1, frames, 8)
    speaker, features = torch.randn(1, 3), torch.randn(1, 2, frames)
    with torch.no_grad():
        whole = vocoder(source, log_mel, speaker, features)[0].numpy()
        bands = log_mel.transpose(1, 2) / 2
        conditions = torch.cat([bands, features, speaker[..., None].expand(-1, -1, frames)], dim=1)[0].T
        stream = VocoderStream(vocoder)
        parts = [
            stream.push(source[0, 160 * i : 160 * i + 480].numpy(), conditions[i : i + 3].numpy())
            for i in range(0, frames, 3)
        ]
    found = np.concatenate(parts)
    assert len(found) >= (frames - 4) * F0_HOP
    assert np.allclose(found, whole[: len(found)], atol=1e-5)


def test_codes_on_a_stream_are_the_nearest() -> None:
    torch.manual_seed(0)
    codebook, vectors = torch.randn(20, 4), torch.randn(50, 4)
    found = NearestCode(codebook)(vectors.numpy())
    assert np.array_equal(found, codebook[nearest_code(vectors, codebook)].numpy())


def test_a_layer_gives_the_same_numbers_however_many_rows_come_together() -> None:
    torch.manual_seed(0)
    layer, x = Linear(torch.randn(37, 50), torch.randn(37)), torch.randn(23, 50)
    whole = layer(x.numpy())
    parts = [layer(part.numpy()) for part in x.split([1, 2, 3, 4, 5, 0, 8])]
    assert np.array_equal(np.concatenate(parts), whole)


def test_f0_with_a_long_lag_is_that_of_the_whole() -> None:
    wave = speech(1.2)
    stream = F0Stream(lag=60)
    found = np.concatenate([stream.push(part) for part in np.split(wave, [100, 5000, 5001, 9000])])
    tail = stream.push(np.zeros(WINDOW // 2 + 70 * F0_HOP, np.float32))
    found, whole = np.concatenate([found, tail])[: len(wave) // F0_HOP], f0_contour(wave)
    voiced = (found > 0) & (whole > 0)
    assert ((found > 0) == (whole > 0)).mean() > 0.95 and voiced.sum() > 40
    assert np.abs(np.log2(found[voiced] / whole[voiced])).max() < 0.02


def test_f0_on_a_stream_stays_in_the_range_of_the_speaker() -> None:
    wave = np.diff(np.floor(np.arange(3 * SAMPLE_RATE) * 200 / SAMPLE_RATE), prepend=0).astype(np.float32)
    places = np.flatnonzero(wave)
    weaker = places[(places > SAMPLE_RATE) & (places < 1.4 * SAMPLE_RATE)][::2]
    wave[weaker] *= 0.6  # every second pulse, as in a creaky voice
    f0 = F0Stream(lag=1).push(wave)[5:]
    assert np.abs(np.log2(f0[f0 > 0] / 200)).max() < 0.1 and (f0 > 0).mean() > 0.95
