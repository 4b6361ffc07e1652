"""Source and filter against loops, forth and back, and what they learn from sounds whose making is known."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers.tiny import MODEL, WAVENET
from speechvq.audio.f0_conditioning import f0_at_code_rate
from speechvq.audio.glottal_phase import NUM_PHASE_BINS, phase_from_f0
from speechvq.audio.mulaw import MuLawCodec
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.config import SourceFilterConfig
from speechvq.speech.decoder.decoder import Decoder, add_input_noise
from speechvq.speech.encoder.encoder import INPUT_GAIN
from speechvq.speech.sampling.postprocess import Postprocessor
from speechvq.speech.sampling.request import SynthesisRequest
from speechvq.speech.source_filter.source_filter import (
    LOG_MEL_SCALE,
    NUM_FREQS,
    SourceFilterParams,
    levinson_durbin,
    smooth_over_f0,
)

HOP, DIM, LEVELS = 20, 4, 256
CONFIG = dataclasses.replace(
    MODEL,
    encoder=dataclasses.replace(MODEL.encoder, strides=(4, 5)),
    wavenet=dataclasses.replace(WAVENET, condition_on_f0=True, condition_on_phase=True, mulaw_bins=LEVELS),
    source_filter=SourceFilterConfig(filter_order=4, num_harmonics=6, channels=8),
)
FILTER_ALONE = dataclasses.replace(CONFIG, source_filter=SourceFilterConfig(filter_order=4, channels=8))


def decoder(config: object = CONFIG, random: float = 0.1) -> Decoder:
    torch.manual_seed(0)
    made = Decoder(config, 3, MuLawCodec(0.85, LEVELS))  # type: ignore[arg-type]
    for parameter in made.parameters():
        parameter.data += random * torch.randn_like(parameter)
    return made.eval()


def script(streams: int, frames: int) -> SynthesisRequest:
    generator = torch.Generator().manual_seed(1)
    vectors = torch.randn(streams, frames, DIM, generator=generator)
    pitch = 100 + 200 * torch.rand(streams, frames, generator=generator)
    pitch[:, 3:5] = 0
    phase = torch.randint(NUM_PHASE_BINS + 1, (streams, frames * HOP), generator=generator).byte()
    return SynthesisRequest(vectors, torch.arange(streams) % 3, HOP, pitch, phase=phase)


def told_of(model: Decoder, said: SynthesisRequest) -> SourceFilterParams:
    with torch.no_grad():
        return model.predict_params(said.vectors, said.speaker, said.f0, said.num_frames)


def test_levinson_solves_the_normal_equations() -> None:
    """Against a solver of linear equations; and the filter is stable."""
    rng = np.random.default_rng(0)
    sounds = np.convolve(rng.standard_normal(4_000), [1, 0.7, -0.3, 0.5])[None] * np.array([[1.0], [1e-3]])
    correlation = np.stack([[row[: len(row) - lag] @ row[lag:] for lag in range(7)] for row in sounds])
    taps, left = levinson_durbin(torch.from_numpy(correlation))
    for row, ours, rest in zip(correlation, taps.numpy(), left.tolist()):
        toeplitz = row[np.abs(np.subtract.outer(np.arange(6), np.arange(6)))]
        expected = np.linalg.solve(toeplitz, row[1:])
        assert np.allclose(ours, expected)
        assert rest == pytest.approx(row[0] - row[1:] @ expected)
        assert np.abs(np.roots(np.append(1.0, -ours))).max() < 1.0


def test_a_spectrum_over_a_pitch_is_a_mean_of_bands_as_wide() -> None:
    power = torch.rand(2, 3, NUM_FREQS, dtype=torch.float64)
    pitch = torch.tensor([[100.0, 250.0, 62.5]] * 2, dtype=torch.float64)
    ours = smooth_over_f0(power, pitch)
    fine = power.repeat_interleave(1_000, -1)  # a point stands for the step about it
    for l, hertz in enumerate(pitch[0].tolist()):
        half = round(hertz / 2 * (NUM_FREQS - 1) / (SAMPLE_RATE / 2) * 1_000)
        for point in (0, 1, 40, NUM_FREQS - 1):
            middle = point * 1_000 + 500
            expected = fine[0, l, max(middle - half, 0) : middle + half].mean()
            assert float(ours[0, l, point]) == pytest.approx(float(expected), rel=1e-3)
    assert torch.allclose(
        smooth_over_f0(torch.ones(1, 1, NUM_FREQS), torch.full((1, 1), 300.0)), torch.ones(1, 1, NUM_FREQS)
    )


def test_excitation_and_carrier_equal_loops() -> None:
    model, said = decoder(), script(1, 7)
    source, told = model.source_filter, told_of(model, said)
    assert source is not None and said.phase is not None
    wave = 0.3 * torch.randn(1, 7 * HOP)
    with torch.no_grad():
        carrier = source.harmonic_signal(told.harmonics, said.phase)
        excitation = source.excitation(wave, told, carrier)
    for t in range(7 * HOP):
        part, place = int(said.phase[0, t]), min(max((t + 0.5) / HOP - 0.5, 0), 6)
        left = int(place)
        total = 0.0
        for frame, share in ((left, 1 - place + left), (min(left + 1, 6), place - left)):
            for k in range(6):
                angle = 2 * np.pi * (part - 0.5) / NUM_PHASE_BINS * (k + 1)
                both = told.harmonics[0, frame, [k, k + 6]].tolist()
                total += share * (both[0] * np.cos(angle) + both[1] * np.sin(angle)) * (part > 0)
        assert float(carrier[0, t]) == pytest.approx(total, abs=1e-5)
        predicted = sum(
            float(told.taps[0, t // HOP, j]) * float(wave[0, t - 1 - j] - carrier[0, t - 1 - j])
            for j in range(min(4, t))
        )
        expected = (float(wave[0, t] - carrier[0, t]) - predicted) * float(
            told.log_inv_scale[0, t // HOP].exp()
        )
        assert float(excitation[0, t]) == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("config", [CONFIG, FILTER_ALONE])
@pytest.mark.parametrize("length", [1, 3, 9])
def test_classes_become_sound_as_loops_make_it(length: int, config: object) -> None:
    """Piece by piece: the excitation at its size, through the filter, the carrier added, and no more emphasis."""
    model, said = decoder(config), script(3, 9)
    source, told = model.source_filter, told_of(model, said)
    assert source is not None and said.phase is not None
    classes = torch.randint(LEVELS, (3, 9 * HOP))
    with torch.no_grad():
        carrier = source.harmonic_signal(told.harmonics, said.phase)
        emphasised = (
            torch.stack([looped(source.sizes[row], told, n) for n, row in enumerate(classes)]) + carrier
        )
        expected = model.companding.deemphasize(emphasised.clone())
    synthesis = Postprocessor(model, said, harmonic_boost=0.0)
    parts = [synthesis(classes[:, t : t + length * HOP]) for t in range(0, 9 * HOP, length * HOP)]
    assert torch.allclose(torch.cat(parts, dim=1), expected, rtol=1e-3, atol=1e-4)


def looped(excitation: Tensor, told: SourceFilterParams, row: int) -> Tensor:
    """What one excitation (T,) becomes by the filter: every code's has the variance 2 with that of the four before."""
    energies = [2.0] * 4 + [float(part.square().mean()) for part in excitation.split(HOP)]
    noise: list[float] = []
    for t, each in enumerate(excitation.tolist()):
        n = t // HOP
        size = (
            float((-told.log_inv_scale[row, n]).exp())
            * (2.0 / max(np.mean(energies[n : n + 5]), 1e-3)) ** 0.5
        )
        past = sum(float(told.taps[row, n, j]) * noise[t - 1 - j] for j in range(min(4, t)))
        noise.append(past + each * size)
    return torch.tensor(noise, dtype=torch.float32)


def test_how_loud_an_excitation_is_does_not_matter_for_long() -> None:
    """After fifty milliseconds; a WaveNet that drifts by a factor of two does not make the sound any louder."""
    model, said = decoder(FILTER_ALONE), script(1, 12)
    source = model.source_filter
    assert source is not None
    quiet = torch.randn(1, 12 * HOP)
    loud, plain = (Postprocessor(model, said).normalize_excitation(gain * quiet, HOP) for gain in (2.0, 1.0))
    assert torch.allclose(loud[:, 4 * HOP :], plain[:, 4 * HOP :], rtol=1e-4)
    assert float(Postprocessor(model, said).normalize_excitation(torch.zeros(1, HOP), HOP).abs().max()) == 0.0


def test_a_stream_sounds_the_same_in_any_company() -> None:
    model, said = decoder(), script(3, 8)
    said = said._replace(num_frames=torch.tensor([8, 5, 2]))
    classes = torch.randint(LEVELS, (3, 8 * HOP))
    together = Postprocessor(model, said)(classes.clone())
    for row, own in enumerate((8, 5, 2)):
        one = said.select([row])
        assert one.f0 is not None and one.phase is not None
        alone = one._replace(
            vectors=one.vectors[:, :own],
            f0=one.f0[:, :own],
            phase=one.phase[:, : own * HOP],
            num_frames=None,
        )
        expected = Postprocessor(model, alone)(classes[row : row + 1, : own * HOP].clone())
        same = slice(
            0, (own - 1) * HOP
        )  # within half a frame of its end a stream's harmonics look at what follows
        assert torch.allclose(together[row, same], expected[0, same], atol=1e-5)


def test_nats_are_those_of_a_density_in_each_level() -> None:
    """With the WaveNet silent the classes' density is Laplace's, and so is the sum over a sample's level."""
    model, said = decoder(FILTER_ALONE, random=0.0), script(2, 12)
    model.wavenet.logits.weight.data.zero_()
    wave = 0.005 * torch.randn(2, 12 * HOP)
    pitch = torch.zeros(2, -(-12 * HOP // 160))
    with torch.no_grad():
        ours = float(model.nll(wave, said.vectors, said.speaker, pitch, said.phase))
        emphasised = model.companding.preemphasize(wave).clamp(-1, 1)
        told = model.predict_params(said.vectors, said.speaker, f0_at_code_rate(pitch, 12, HOP))
        assert model.source_filter is not None
        excitation = model.source_filter.excitation(emphasised, told, torch.zeros_like(emphasised))
        width = model.companding.log_widths[model.companding.encode(emphasised)]
        sharpness = told.log_inv_scale.repeat_interleave(HOP, dim=1)
        expected = float((excitation.abs() + np.log(2) - sharpness - width).mean())
    assert ours == pytest.approx(expected, abs=0.02)


def test_they_learn_from_their_own_loss_and_from_no_other() -> None:
    model, said = decoder(), script(2, 8)
    inputs = 0.05 * torch.randn(2, 8 * HOP), said.vectors, said.speaker, torch.full((2, 1), 150.0), said.phase
    assert model.source_filter is not None
    model.train().nll(*inputs).backward()
    assert all(parameter.grad is None for parameter in model.source_filter.parameters())
    model.source_filter_loss(*inputs).backward()
    for name, parameter in model.source_filter.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("config", [CONFIG, dataclasses.replace(CONFIG, source_filter=SourceFilterConfig())])
def test_an_excerpt_is_the_middle_when_measured_and_any_part_in_training(config: object) -> None:
    model, said = decoder(config), script(2, 9)
    inputs = 0.05 * torch.randn(2, 9 * HOP), said.vectors, said.speaker, torch.full((2, 2), 150.0), said.phase
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
def test_a_code_has_a_spectrum_every_ten_milliseconds(hop: int, parts: int) -> None:
    """And what is told of some codes is what is told of them among all."""
    strides = (hop // 10, 10)
    config = dataclasses.replace(CONFIG, encoder=dataclasses.replace(CONFIG.encoder, strides=strides))
    model, said = decoder(config), script(1, 40)
    source = model.source_filter
    assert source is not None and source.frames_per_code == parts
    told = told_of(model, said)
    assert all(each.shape[1] == 40 * parts for each in told)
    reach = source.context_codes
    within = said._replace(
        vectors=said.vectors[:, 10 - reach : 12 + reach], f0=said.f0[:, 10 - reach : 12 + reach]
    )
    few = source.slice_params(told_of(model, within), slice(reach, 2 + reach))
    for ours, expected in zip(few, source.slice_params(told, slice(10, 12))):
        assert torch.allclose(ours, expected, atol=1e-4)


def learnt(model: Decoder, wave: Tensor, said: SynthesisRequest, steps: int) -> float:
    """The loss after some steps on one sound."""
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    pitch = torch.full((1, wave.shape[1] // 160), 200.0)
    for _ in range(steps):
        loss = model.source_filter_loss(wave, said.vectors, said.speaker, pitch, said.phase)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def test_a_voice_of_harmonics_is_learnt_and_followed_at_another_pitch() -> None:
    """A sawtooth of 200 Hz: afterwards the carrier is that sound, and at 250 Hz it has that pitch."""
    model, frames = decoder(random=0.02).train(), 24
    phase = torch.from_numpy(phase_from_f0(np.full(frames * HOP // 160, 200.0), frames * HOP))[None]
    said = SynthesisRequest(
        torch.ones(1, frames, DIM),
        torch.zeros(1, dtype=torch.long),
        HOP,
        torch.full((1, frames), 200.0),
        phase=phase,
    )
    cycles = torch.arange(1, frames * HOP + 1) * 200 / 16_000
    wave = sum(0.02 / k * torch.cos(2 * torch.pi * k * cycles) for k in range(1, 6))[None].float()
    learnt(model, wave, said, 400)
    told = told_of(model.eval(), said)
    assert model.source_filter is not None
    with torch.no_grad():
        carrier = model.source_filter.harmonic_signal(told.harmonics, phase)
        emphasised = model.companding.preemphasize(wave)
        inner = slice(100, -100)
        left = (emphasised - carrier)[0, inner].square().mean() / emphasised[0, inner].square().mean()
        assert left < 0.1
        higher = torch.from_numpy(phase_from_f0(np.full(frames * HOP // 160, 250.0), frames * HOP))[None]
        moved = model.source_filter.harmonic_signal(told.harmonics, higher)[0].numpy()
    spectrum = np.abs(np.fft.rfft(moved * np.hanning(len(moved)), 16_000))
    assert abs(int(spectrum[100:400].argmax()) + 100 - 250) <= 2


def test_the_filter_learns_a_colour_and_the_level() -> None:
    torch.manual_seed(3)
    model, frames = decoder(FILTER_ALONE, random=0.02).train(), 40
    said = script(1, frames)._replace(vectors=torch.ones(1, frames, DIM))
    noise, coloured = torch.randn(frames * HOP + 2), [0.0, 0.0]
    for each in noise.tolist():
        coloured.append(1.6 * coloured[-1] - 0.8 * coloured[-2] + 0.004 * each)
    wave = model.companding.deemphasize(torch.tensor(coloured[-frames * HOP :])[None])
    learnt(model, wave, said, 300)
    told = told_of(model.eval(), said._replace(f0=torch.full((1, frames), 200.0)))
    assert told.taps[0, 5:-5, 0].mean() == pytest.approx(1.6, abs=0.2)
    assert told.taps[0, 5:-5, 1].mean() == pytest.approx(-0.8, abs=0.3)
    size = float((-told.log_inv_scale[0, 5:-5]).exp().mean())
    assert size == pytest.approx(0.004 * (2 / np.pi) ** 0.5, rel=0.25), (
        "of the Laplace density nearest to that noise"
    )


def white(model: Decoder, share: float) -> None:
    """Make a decoder tell white noise of variance 1e-4, of which the cycle has a share of the amplitude."""
    source = model.source_filter
    assert source is not None
    for layer in (source.mel_head, source.harmonic_head):
        layer.weight.data.zero_()
    source.mel_head.bias.data.fill_(np.log(1e-4 * INPUT_GAIN**2) / LOG_MEL_SCALE)
    source.log_bias.data.zero_()
    source.harmonic_head.bias.data.fill_(0.0)
    source.harmonic_head.bias.data[:NUM_FREQS] = share / (1 - share**2) ** 0.5


def powers(told: SourceFilterParams) -> tuple[float, float]:
    """Of the noise and of the harmonics, where both are the same all the time."""
    noise = 2 * float((-2 * told.log_inv_scale[0, 0]).exp())
    return noise, float(told.harmonics[0, 0].square().sum()) / 2


@pytest.mark.parametrize("voicing", [0.0, 0.75, 1.0])
def test_harmonics_and_noise_share_the_power(voicing: float) -> None:
    """Six harmonics of 400 Hz are 2,400 of 8,000 Hz; what the cycle has of a band, the noise has not."""
    model, pitch = decoder(random=0.0), torch.full((1, 12), 400.0)
    white(model, 0.6)
    vectors, speaker = torch.zeros(1, 12, DIM), torch.zeros(1, dtype=torch.long)
    with torch.no_grad():
        told = model.predict_params(vectors, speaker, pitch, harmonic_boost=voicing)
        whisper = model.predict_params(vectors, speaker, torch.zeros(1, 12), harmonic_boost=voicing)
    share = 0.36 + 0.64 * voicing
    noise, harmonics = powers(told)
    assert harmonics == pytest.approx(1e-4 * share * 2_400 / 8_000, rel=1e-3)
    # Above 7 kHz, an eighth of the spectrum, all is noise; an order of 4 cannot follow so sharp an edge.
    assert noise <= 1e-4 * ((1 - share) * 7 / 8 + 1 / 8) * 1.05
    assert powers(whisper)[0] == pytest.approx(1e-4, rel=1e-3), "all of an unvoiced frame"
    assert all(each.isfinite().all() for each in told)


def test_noise_on_the_past_stays_among_the_classes() -> None:
    torch.manual_seed(0)
    classes = torch.randint(LEVELS, (50, 400))
    heard = add_input_noise(classes, 8.0, LEVELS)
    assert heard.dtype == torch.long and heard.min() >= 0 and heard.max() < LEVELS
    deviations = (heard - classes).double().std(1)
    assert deviations.min() < 1.5 and 5 < deviations.max() < 9, "another in every crop"
    assert torch.equal(add_input_noise(classes, 0.0, LEVELS), classes)
