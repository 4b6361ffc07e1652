"""The source-filter model against loops, and trained on signals with known parameters."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers.tiny import MODEL, WAVENET
from speechvq.audio.f0_conditioning import f0_at_code_rate
from speechvq.audio.glottal_phase import NUM_PHASE_BINS, phase_from_f0
from speechvq.audio.mulaw import INPUT_GAIN, MuLawCodec
from speechvq.config import SourceFilterConfig
from speechvq.speech.decoder.decoder import Decoder
from speechvq.speech.sampling.postprocess import Postprocessor
from speechvq.speech.sampling.request import SynthesisRequest
from speechvq.speech.source_filter.source_filter import LOG_MEL_SCALE, SourceFilterParams
from speechvq.speech.source_filter.spectral_envelope import NUM_FREQS

HOP, DIM, NUM_BINS = 20, 4, 256
CONFIG = dataclasses.replace(
    MODEL,
    encoder=dataclasses.replace(MODEL.encoder, strides=(4, 5)),
    wavenet=dataclasses.replace(WAVENET, condition_on_f0=True, condition_on_phase=True, mulaw_bins=NUM_BINS),
    source_filter=SourceFilterConfig(filter_order=4, num_harmonics=6, channels=8),
)
FILTER_ALONE = dataclasses.replace(CONFIG, source_filter=SourceFilterConfig(filter_order=4, channels=8))


def decoder(config: object = CONFIG, random: float = 0.1) -> Decoder:
    torch.manual_seed(0)
    made = Decoder(config, 3, MuLawCodec(0.85, NUM_BINS))  # type: ignore[arg-type]
    for parameter in made.parameters():
        parameter.data += random * torch.randn_like(parameter)
    return made.eval()


def random_request(streams: int, frames: int) -> SynthesisRequest:
    generator = torch.Generator().manual_seed(1)
    vectors = torch.randn(streams, frames, DIM, generator=generator)
    f0 = 100 + 200 * torch.rand(streams, frames, generator=generator)
    f0[:, 3:5] = 0
    phase = torch.randint(NUM_PHASE_BINS + 1, (streams, frames * HOP), generator=generator).byte()
    return SynthesisRequest(vectors, torch.arange(streams) % 3, HOP, f0, phase=phase)


def params_of(model: Decoder, request: SynthesisRequest) -> SourceFilterParams:
    with torch.no_grad():
        return model.predict_params(request.vectors, request.speaker, request.f0, request.num_frames)


def test_excitation_and_harmonic_signal_equal_loops() -> None:
    model, request = decoder(), random_request(1, 7)
    source, params = model.source_filter, params_of(model, request)
    assert source is not None and request.phase is not None
    wave = 0.3 * torch.randn(1, 7 * HOP)
    with torch.no_grad():
        harmonic = source.harmonic_signal(params.harmonics, request.phase)
        excitation = source.excitation(wave, params, harmonic)
    for t in range(7 * HOP):
        phase_bin, position = int(request.phase[0, t]), min(max((t + 0.5) / HOP - 0.5, 0), 6)
        left = int(position)
        total = 0.0
        for frame, weight in ((left, 1 - position + left), (min(left + 1, 6), position - left)):
            for k in range(6):
                angle = 2 * np.pi * (phase_bin - 0.5) / NUM_PHASE_BINS * (k + 1)
                both = params.harmonics[0, frame, [k, k + 6]].tolist()
                total += weight * (both[0] * np.cos(angle) + both[1] * np.sin(angle)) * (phase_bin > 0)
        assert float(harmonic[0, t]) == pytest.approx(total, abs=1e-5)
        predicted = sum(
            float(params.taps[0, t // HOP, j]) * float(wave[0, t - 1 - j] - harmonic[0, t - 1 - j])
            for j in range(min(4, t))
        )
        expected = (float(wave[0, t] - harmonic[0, t]) - predicted) * float(
            params.log_inv_scale[0, t // HOP].exp()
        )
        assert float(excitation[0, t]) == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("config", [CONFIG, FILTER_ALONE])
@pytest.mark.parametrize("length", [1, 3, 9])
def test_postprocessing_equals_loops(length: int, config: object) -> None:
    """In pieces of any length: normalized excitation, filter, sum with the harmonics, de-emphasis."""
    model, request = decoder(config), random_request(3, 9)
    source, params = model.source_filter, params_of(model, request)
    assert source is not None and request.phase is not None
    bins = torch.randint(NUM_BINS, (3, 9 * HOP))
    with torch.no_grad():
        harmonic = source.harmonic_signal(params.harmonics, request.phase)
        preemphasized = (
            torch.stack([filtered_by_loops(source.bin_centers[row], params, n) for n, row in enumerate(bins)])
            + harmonic
        )
        expected = model.mulaw.deemphasize(preemphasized.clone())
    synthesis = Postprocessor(model, request, harmonic_boost=0.0)
    parts = [synthesis(bins[:, t : t + length * HOP]) for t in range(0, 9 * HOP, length * HOP)]
    assert torch.allclose(torch.cat(parts, dim=1), expected, rtol=1e-3, atol=1e-4)


def filtered_by_loops(excitation: Tensor, params: SourceFilterParams, row: int) -> Tensor:
    """Filter one excitation (T,), normalized to variance 2 over each code and the four before."""
    energies = [2.0] * 4 + [float(part.square().mean()) for part in excitation.split(HOP)]
    noise: list[float] = []
    for t, each in enumerate(excitation.tolist()):
        n = t // HOP
        size = (
            float((-params.log_inv_scale[row, n]).exp())
            * (2.0 / max(np.mean(energies[n : n + 5]), 1e-3)) ** 0.5
        )
        past = sum(float(params.taps[row, n, j]) * noise[t - 1 - j] for j in range(min(4, t)))
        noise.append(past + each * size)
    return torch.tensor(noise, dtype=torch.float32)


def test_the_level_of_an_excitation_is_normalized() -> None:
    """After 50 ms, an excitation of twice the level gives the same output."""
    model, request = decoder(FILTER_ALONE), random_request(1, 12)
    source = model.source_filter
    assert source is not None
    quiet = torch.randn(1, 12 * HOP)
    loud, plain = (
        Postprocessor(model, request).normalize_excitation(gain * quiet, HOP) for gain in (2.0, 1.0)
    )
    assert torch.allclose(loud[:, 4 * HOP :], plain[:, 4 * HOP :], rtol=1e-4)
    assert (
        float(Postprocessor(model, request).normalize_excitation(torch.zeros(1, HOP), HOP).abs().max()) == 0.0
    )


def test_a_stream_does_not_depend_on_the_other_streams() -> None:
    model, request = decoder(), random_request(3, 8)
    request = request._replace(num_frames=torch.tensor([8, 5, 2]))
    bins = torch.randint(NUM_BINS, (3, 8 * HOP))
    together = Postprocessor(model, request)(bins.clone())
    for row, length in enumerate((8, 5, 2)):
        one = request.select([row])
        assert one.f0 is not None and one.phase is not None
        alone = one._replace(
            vectors=one.vectors[:, :length],
            f0=one.f0[:, :length],
            phase=one.phase[:, : length * HOP],
            num_frames=None,
        )
        expected = Postprocessor(model, alone)(bins[row : row + 1, : length * HOP].clone())
        # In the last half frame of a stream, the harmonics are interpolated with the frame that follows.
        same = slice(0, (length - 1) * HOP)
        assert torch.allclose(together[row, same], expected[0, same], atol=1e-5)


def test_nll_is_that_of_a_density_over_the_bins() -> None:
    """With a constant WaveNet the density of the waveform is the Laplace density of the filter."""
    model, request = decoder(FILTER_ALONE, random=0.0), random_request(2, 12)
    model.wavenet.logits.weight.data.zero_()
    wave = 0.005 * torch.randn(2, 12 * HOP)
    f0 = torch.zeros(2, -(-12 * HOP // 160))
    with torch.no_grad():
        ours = float(model.nll(wave, request.vectors, request.speaker, f0, request.phase))
        preemphasized = model.mulaw.preemphasize(wave).clamp(-1, 1)
        params = model.predict_params(request.vectors, request.speaker, f0_at_code_rate(f0, 12, HOP))
        assert model.source_filter is not None
        excitation = model.source_filter.excitation(preemphasized, params, torch.zeros_like(preemphasized))
        width = model.mulaw.log_widths[model.mulaw.encode(preemphasized)]
        log_inv_scale = params.log_inv_scale.repeat_interleave(HOP, dim=1)
        expected = float((excitation.abs() + np.log(2) - log_inv_scale - width).mean())
    assert ours == pytest.approx(expected, abs=0.02)


def test_only_the_source_filter_loss_trains_the_source_filter_model() -> None:
    model, request = decoder(), random_request(2, 8)
    inputs = (
        0.05 * torch.randn(2, 8 * HOP),
        request.vectors,
        request.speaker,
        torch.full((2, 1), 150.0),
        request.phase,
    )
    assert model.source_filter is not None
    model.train().nll(*inputs).backward()
    assert all(parameter.grad is None for parameter in model.source_filter.parameters())
    model.source_filter_loss(*inputs).backward()
    for name, parameter in model.source_filter.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("config", [CONFIG, dataclasses.replace(CONFIG, source_filter=SourceFilterConfig())])
def test_the_segment_is_the_middle_in_evaluation_and_random_in_training(config: object) -> None:
    model, request = decoder(config), random_request(2, 9)
    inputs = (
        0.05 * torch.randn(2, 9 * HOP),
        request.vectors,
        request.speaker,
        torch.full((2, 2), 150.0),
        request.phase,
    )
    with torch.no_grad():
        whole = model.nll(*inputs)
        model.segment_length = 3 * HOP - 1
        middle = model.nll(*inputs)
        changed = inputs[0].clone()
        changed[:, 6 * HOP :] = 0
        assert torch.equal(model.nll(changed, *inputs[1:]), middle) and not torch.equal(middle, whole)
        model.train()
        assert len({float(model.nll(*inputs)) for _ in range(60)}) == 7, "three of nine codes"


@pytest.mark.parametrize("hop, parts", [(20, 1), (160, 1), (320, 2), (640, 4), (80, 1), (200, 1)])
def test_a_code_has_one_spectrum_every_ten_milliseconds(hop: int, parts: int) -> None:
    """The parameters of some codes do not change if only these codes and their context are given."""
    strides = (hop // 10, 10)
    config = dataclasses.replace(CONFIG, encoder=dataclasses.replace(CONFIG.encoder, strides=strides))
    model, request = decoder(config), random_request(1, 40)
    source = model.source_filter
    assert source is not None and source.frames_per_code == parts
    params = params_of(model, request)
    assert all(each.shape[1] == 40 * parts for each in params)
    context = source.context_codes
    within = request._replace(
        vectors=request.vectors[:, 10 - context : 12 + context], f0=request.f0[:, 10 - context : 12 + context]
    )
    few = source.slice_params(params_of(model, within), slice(context, 2 + context))
    for ours, expected in zip(few, source.slice_params(params, slice(10, 12))):
        assert torch.allclose(ours, expected, atol=1e-4)


def train(model: Decoder, wave: Tensor, request: SynthesisRequest, steps: int) -> float:
    """The loss after some steps on one signal."""
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    f0 = torch.full((1, wave.shape[1] // 160), 200.0)
    for _ in range(steps):
        loss = model.source_filter_loss(wave, request.vectors, request.speaker, f0, request.phase)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def test_harmonics_are_learned_and_follow_another_f0() -> None:
    """The harmonics of a signal of 200 Hz are learned, and move to 250 Hz with the phase."""
    model, frames = decoder(random=0.02).train(), 24
    phase = torch.from_numpy(phase_from_f0(np.full(frames * HOP // 160, 200.0), frames * HOP))[None]
    request = SynthesisRequest(
        torch.ones(1, frames, DIM),
        torch.zeros(1, dtype=torch.long),
        HOP,
        torch.full((1, frames), 200.0),
        phase=phase,
    )
    cycles = torch.arange(1, frames * HOP + 1) * 200 / 16_000
    wave = sum(0.02 / k * torch.cos(2 * torch.pi * k * cycles) for k in range(1, 6))[None].float()
    train(model, wave, request, 400)
    params = params_of(model.eval(), request)
    assert model.source_filter is not None
    with torch.no_grad():
        harmonic = model.source_filter.harmonic_signal(params.harmonics, phase)
        preemphasized = model.mulaw.preemphasize(wave)
        inner = slice(100, -100)
        left = (preemphasized - harmonic)[0, inner].square().mean() / preemphasized[0, inner].square().mean()
        assert left < 0.1
        higher = torch.from_numpy(phase_from_f0(np.full(frames * HOP // 160, 250.0), frames * HOP))[None]
        moved = model.source_filter.harmonic_signal(params.harmonics, higher)[0].numpy()
    spectrum = np.abs(np.fft.rfft(moved * np.hanning(len(moved)), 16_000))
    assert abs(int(spectrum[100:400].argmax()) + 100 - 250) <= 2


def test_the_filter_learns_spectrum_and_level_of_noise() -> None:
    torch.manual_seed(3)
    model, frames = decoder(FILTER_ALONE, random=0.02).train(), 40
    request = random_request(1, frames)._replace(vectors=torch.ones(1, frames, DIM))
    noise, colored = torch.randn(frames * HOP + 2), [0.0, 0.0]
    for each in noise.tolist():
        colored.append(1.6 * colored[-1] - 0.8 * colored[-2] + 0.004 * each)
    wave = model.mulaw.deemphasize(torch.tensor(colored[-frames * HOP :])[None])
    train(model, wave, request, 300)
    params = params_of(model.eval(), request._replace(f0=torch.full((1, frames), 200.0)))
    assert params.taps[0, 5:-5, 0].mean() == pytest.approx(1.6, abs=0.2)
    assert params.taps[0, 5:-5, 1].mean() == pytest.approx(-0.8, abs=0.3)
    size = float((-params.log_inv_scale[0, 5:-5]).exp().mean())
    assert size == pytest.approx(0.004 * (2 / np.pi) ** 0.5, rel=0.25), (
        "scale of the Laplace density nearest to that noise"
    )


def set_white_noise(model: Decoder, fraction: float) -> None:
    """Make a decoder predict white noise of variance 1e-4; the harmonics have a fraction of its amplitude."""
    source = model.source_filter
    assert source is not None
    for layer in (source.mel_head, source.harmonic_head):
        layer.weight.data.zero_()
    source.mel_head.bias.data.fill_(np.log(1e-4 * INPUT_GAIN**2) / LOG_MEL_SCALE)
    source.log_bias.data.zero_()
    source.harmonic_head.bias.data.fill_(0.0)
    source.harmonic_head.bias.data[:NUM_FREQS] = fraction / (1 - fraction**2) ** 0.5


def powers(params: SourceFilterParams) -> tuple[float, float]:
    """Power of the noise and of the harmonics, both constant in time."""
    noise = 2 * float((-2 * params.log_inv_scale[0, 0]).exp())
    return noise, float(params.harmonics[0, 0].square().sum()) / 2


@pytest.mark.parametrize("boost", [0.0, 0.75, 1.0])
def test_harmonics_and_noise_add_up_to_the_power(boost: float) -> None:
    """Six harmonics of 400 Hz cover 2,400 of 8,000 Hz; the noise has the rest of the power in these bands."""
    model, f0 = decoder(random=0.0), torch.full((1, 12), 400.0)
    set_white_noise(model, 0.6)
    vectors, speaker = torch.zeros(1, 12, DIM), torch.zeros(1, dtype=torch.long)
    with torch.no_grad():
        params = model.predict_params(vectors, speaker, f0, harmonic_boost=boost)
        unvoiced = model.predict_params(vectors, speaker, torch.zeros(1, 12), harmonic_boost=boost)
    fraction = 0.36 + 0.64 * boost
    noise, harmonics = powers(params)
    assert harmonics == pytest.approx(1e-4 * fraction * 2_400 / 8_000, rel=1e-3)
    # Above 7 kHz, an eighth of the spectrum, all power is noise; a filter of order 4 smears that edge.
    assert noise <= 1e-4 * ((1 - fraction) * 7 / 8 + 1 / 8) * 1.05
    assert powers(unvoiced)[0] == pytest.approx(1e-4, rel=1e-3), "an unvoiced frame is all noise"
    assert all(each.isfinite().all() for each in params)
