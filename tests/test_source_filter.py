"""Source and filter against loops, forth and back, and what they learn from sounds whose making is known."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from speechvq.audio.phase import PARTS, contour_phase
from speechvq.config import SourceFilterConfig
from speechvq.speech.companding import Companding
from speechvq.speech.contour import at_code_rate
from speechvq.speech.decoder import Decoder, spoilt
from speechvq.speech.script import Script
from speechvq.speech.source_filter import Told, prediction_taps
from speechvq.speech.synthesis import Synthesis
from tiny import MODEL, WAVENET

HOP, DIM, LEVELS = 20, 4, 256
CONFIG = dataclasses.replace(
    MODEL,
    wavenet=dataclasses.replace(WAVENET, pitch=True, phase=True, levels=LEVELS),
    source_filter=SourceFilterConfig(order=4, harmonics=6, units=8),
)
FILTER_ALONE = dataclasses.replace(CONFIG, source_filter=SourceFilterConfig(order=4, units=8))


def decoder(config: object = CONFIG, random: float = 0.1) -> Decoder:
    torch.manual_seed(0)
    made = Decoder(config, 3, Companding(0.85, LEVELS))  # type: ignore[arg-type]
    for parameter in made.parameters():
        parameter.data += random * torch.randn_like(parameter)
    return made.eval()


def script(streams: int, frames: int) -> Script:
    generator = torch.Generator().manual_seed(1)
    vectors = torch.randn(streams, frames, DIM, generator=generator)
    pitch = 100 + 200 * torch.rand(streams, frames, generator=generator)
    pitch[:, 3:5] = 0
    phase = torch.randint(PARTS + 1, (streams, frames * HOP), generator=generator).byte()
    return Script(vectors, torch.arange(streams) % 3, HOP, pitch, phase=phase)


def told_of(model: Decoder, said: Script) -> Told:
    with torch.no_grad():
        return model.told(said.vectors, said.speaker, said.pitch, said.frames)


def test_taps_make_the_filter_that_reflections_say() -> None:
    """Against Levinson's step up one coefficient at a time; and stable, whatever the reflections."""
    reflections = torch.rand(50, 6, dtype=torch.float64) * 1.98 - 0.99
    taps = prediction_taps(reflections)
    for row, ours in zip(reflections.numpy(), taps.numpy()):
        a: list[float] = []
        for k in row:
            a = [a[j] - k * a[len(a) - 1 - j] for j in range(len(a))] + [k]
        assert np.allclose(ours, a)
        assert np.abs(np.roots(np.append(1.0, -ours))).max() < 1.0


def test_excitation_and_carrier_equal_loops() -> None:
    model, said = decoder(), script(1, 7)
    source, told = model.source_filter, told_of(model, said)
    assert source is not None and said.phase is not None
    wave = 0.3 * torch.randn(1, 7 * HOP)
    with torch.no_grad():
        carrier = source.carrier(told.harmonics, said.phase)
        excitation = source.excitation(wave, told, carrier)
    for t in range(7 * HOP):
        part, place = int(said.phase[0, t]), min(max((t + 0.5) / HOP - 0.5, 0), 6)
        left = int(place)
        total = 0.0
        for frame, share in ((left, 1 - place + left), (min(left + 1, 6), place - left)):
            for k in range(6):
                angle = 2 * np.pi * (part - 0.5) / PARTS * (k + 1)
                both = told.harmonics[0, frame, [k, k + 6]].tolist()
                total += share * (both[0] * np.cos(angle) + both[1] * np.sin(angle)) * (part > 0)
        assert float(carrier[0, t]) == pytest.approx(total, abs=1e-5)
        predicted = sum(
            float(told.taps[0, t // HOP, j]) * float(wave[0, t - 1 - j] - carrier[0, t - 1 - j]) for j in range(min(4, t))
        )
        expected = (float(wave[0, t] - carrier[0, t]) - predicted) * float(told.sharpness[0, t // HOP].exp())
        assert float(excitation[0, t]) == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("config", [CONFIG, FILTER_ALONE])
@pytest.mark.parametrize("length", [1, 3, 9])
def test_classes_of_a_sound_make_that_sound_again(length: int, config: object) -> None:
    """Piece by piece, but for what the classes round away; the whole way of a conversion without the WaveNet."""
    model, said = decoder(config), script(3, 9)
    source, told = model.source_filter, told_of(model, said)
    assert source is not None and said.phase is not None
    wave = 0.02 * torch.randn(3, 9 * HOP)
    with torch.no_grad():
        emphasised = model.companding.emphasise(wave)
        carrier = source.carrier(told.harmonics, said.phase)
        # In a loop, so that what one class rounds away is in the past of the next.
        classes, noise = torch.zeros(3, 9 * HOP, dtype=torch.long), torch.zeros(3, 9 * HOP)
        for t in range(9 * HOP):
            past = torch.stack([noise[:, t - 1 - j] if t > j else torch.zeros(3) for j in range(4)], dim=1)
            predicted, sharpness = (past * told.taps[:, t // HOP]).sum(1), told.sharpness[:, t // HOP].exp()
            classes[:, t] = source.classes((emphasised[:, t] - carrier[:, t] - predicted) * sharpness)
            noise[:, t] = predicted + source.sizes[classes[:, t]] / sharpness
    synthesis = Synthesis(model, said, voicing=0.0)
    parts = [synthesis(classes[:, t : t + length * HOP]) for t in range(0, 9 * HOP, length * HOP)]
    again = model.companding.emphasise(torch.cat(parts, dim=1))
    assert torch.allclose(again, noise + carrier, atol=1e-4), "the filter follows its own past"
    rough = 0.05 / told.sharpness.exp().repeat_interleave(HOP, dim=1) + 0.05 * (emphasised - carrier).abs()
    assert ((again - emphasised).abs() < rough + 1e-3).float().mean() > 0.9


def test_a_stream_sounds_the_same_in_any_company() -> None:
    model, said = decoder(), script(3, 8)
    said = said._replace(frames=torch.tensor([8, 5, 2]))
    classes = torch.randint(LEVELS, (3, 8 * HOP))
    together = Synthesis(model, said)(classes.clone())
    for row, own in enumerate((8, 5, 2)):
        one = said.rows([row])
        assert one.pitch is not None and one.phase is not None
        alone = one._replace(
            vectors=one.vectors[:, :own], pitch=one.pitch[:, :own], phase=one.phase[:, : own * HOP], frames=None
        )
        expected = Synthesis(model, alone)(classes[row : row + 1, : own * HOP].clone())
        same = slice(0, (own - 1) * HOP)  # within half a frame of its end a stream's harmonics look at what follows
        assert torch.allclose(together[row, same], expected[0, same], atol=1e-5)


def test_nats_are_those_of_a_density_in_each_level() -> None:
    """With the WaveNet silent the classes' density is Laplace's, and so is the sum over a sample's level."""
    model, said = decoder(FILTER_ALONE, random=0.0), script(2, 12)
    model.wavenet.logits.weight.data.zero_()
    wave = 0.05 * torch.randn(2, 12 * HOP)
    pitch = torch.zeros(2, -(-12 * HOP // 160))
    with torch.no_grad():
        ours = float(model.nats(wave, said.vectors, said.speaker, pitch, said.phase))
        emphasised = model.companding.emphasise(wave).clamp(-1, 1)
        told = model.told(said.vectors, said.speaker, at_code_rate(pitch, 12, HOP))
        assert model.source_filter is not None
        excitation = model.source_filter.excitation(emphasised, told, torch.zeros_like(emphasised))
        width = model.companding.log_widths[model.companding.to_levels(emphasised)]
        sharpness = told.sharpness.repeat_interleave(HOP, dim=1)
        expected = float((excitation.abs() + np.log(2) - sharpness - width).mean())
    assert ours == pytest.approx(expected, abs=0.02)


def test_their_own_losses_are_in_the_gradient_and_not_in_the_number() -> None:
    model, said = decoder(), script(2, 6)
    inputs = 0.05 * torch.randn(2, 6 * HOP), said.vectors, said.speaker, torch.full((2, 1), 150.0), said.phase
    model.eval()
    plain = float(model.nats(*inputs).detach())
    loss = model.train().nats(*inputs)
    assert float(loss.detach()) == pytest.approx(plain, abs=1e-5)
    loss.backward()
    assert model.source_filter is not None
    for name, parameter in model.source_filter.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def learnt(model: Decoder, wave: Tensor, said: Script, steps: int) -> float:
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
    phase = torch.from_numpy(contour_phase(np.full(frames * HOP // 160, 200.0), frames * HOP))[None]
    said = Script(torch.ones(1, frames, DIM), torch.zeros(1, dtype=torch.long), HOP, torch.full((1, frames), 200.0), phase=phase)
    cycles = torch.arange(1, frames * HOP + 1) * 200 / 16_000
    wave = sum(0.02 / k * torch.cos(2 * torch.pi * k * cycles) for k in range(1, 6))[None].float()
    learnt(model, wave, said, 400)
    told = told_of(model.eval(), said)
    assert model.source_filter is not None
    with torch.no_grad():
        carrier = model.source_filter.carrier(told.harmonics, phase)
        emphasised = model.companding.emphasise(wave)
        inner = slice(100, -100)
        left = (emphasised - carrier)[0, inner].square().mean() / emphasised[0, inner].square().mean()
        assert left < 0.1
        higher = torch.from_numpy(contour_phase(np.full(frames * HOP // 160, 250.0), frames * HOP))[None]
        moved = model.source_filter.carrier(told.harmonics, higher)[0].numpy()
    spectrum = np.abs(np.fft.rfft(moved * np.hanning(len(moved)), 16_000))
    assert abs(int(spectrum[100:400].argmax()) + 100 - 250) <= 2


def test_the_filter_learns_a_colour_and_the_level() -> None:
    torch.manual_seed(3)
    model, frames = decoder(FILTER_ALONE, random=0.02).train(), 40
    said = script(1, frames)._replace(vectors=torch.ones(1, frames, DIM))
    noise, coloured = torch.randn(frames * HOP + 2), [0.0, 0.0]
    for each in noise.tolist():
        coloured.append(1.6 * coloured[-1] - 0.8 * coloured[-2] + 0.004 * each)
    wave = model.companding.deemphasise(torch.tensor(coloured[-frames * HOP :])[None])
    learnt(model, wave, said, 300)
    told = told_of(model.eval(), said._replace(pitch=torch.full((1, frames), 200.0)))
    assert told.taps[0, 5:-5, 0].mean() == pytest.approx(1.6, abs=0.15)
    assert told.taps[0, 5:-5, 1].mean() == pytest.approx(-0.8, abs=0.15)
    rms = float(torch.tensor(coloured).square().mean().sqrt())
    assert float(told.level[0, 5:-5].mean().exp()) == pytest.approx(rms, rel=0.4)


def test_what_the_noise_gives_the_harmonics_keeps_the_power() -> None:
    """White noise of a level, and harmonics of none: afterwards the harmonics have the share, band by band."""
    model, frames = decoder(random=0.0), 40
    source, pitch = model.source_filter, torch.full((1, 40), 400.0)
    assert source is not None
    told = Told(torch.zeros(1, 40, 4), torch.full((1, 40), 4.0), torch.zeros(1, 40), torch.full((1, 40, 12), 1e-5))
    voiced = source.voiced(told, pitch, 0.75)
    noise = lambda told: float(2 * (-2 * told.sharpness[0, 0]).exp())  # noqa: E731
    assert noise(voiced) == pytest.approx(0.25 * noise(told))
    power = float(voiced.harmonics[0, 0].square().sum()) / 2
    assert power == pytest.approx(0.75 * noise(told) * 6 * 400 / 8_000, rel=1e-3), "six bands of 400 Hz of 8 kHz"
    same = source.voiced(told, torch.zeros(1, frames), 0.75)
    assert torch.equal(same.harmonics, told.harmonics) and torch.equal(same.sharpness, told.sharpness), "unvoiced"
    none = source.voiced(told, pitch, 0.0)
    assert torch.allclose(none.harmonics, told.harmonics) and torch.allclose(none.sharpness, told.sharpness)
    assert source.voiced(told, pitch, 1.0).sharpness.isfinite().all()


def test_a_resonance_raises_the_harmonics_in_it() -> None:
    model, pitch = decoder(random=0.0), torch.full((1, 1), 500.0)
    angle, radius = 2 * np.pi * 1_500 / 16_000, 0.95
    taps = torch.tensor([2 * radius * np.cos(angle), -(radius**2), 0.0, 0.0]).view(1, 1, 4).float()
    told = Told(taps, torch.full((1, 1), 4.0), torch.zeros(1, 1), torch.full((1, 1, 12), 1e-4))
    assert model.source_filter is not None
    harmonics = model.source_filter.voiced(told, pitch, 0.5).harmonics[0, 0].view(2, 6).square().sum(0)
    response = [1 / abs(1 - sum(float(taps[0, 0, j]) * np.exp(-2j * np.pi * k * 500 * (j + 1) / 16_000) for j in range(4))) ** 2 for k in range(1, 7)]
    assert int(harmonics.argmax()) == 2
    assert np.allclose(harmonics.numpy() / harmonics.max().item(), np.array(response) / max(response), rtol=0.01)


def test_noise_on_the_past_stays_among_the_classes() -> None:
    torch.manual_seed(0)
    classes = torch.randint(LEVELS, (50, 400))
    heard = spoilt(classes, 8.0, LEVELS)
    assert heard.dtype == torch.long and heard.min() >= 0 and heard.max() < LEVELS
    deviations = (heard - classes).double().std(1)
    assert deviations.min() < 1.5 and 5 < deviations.max() < 9, "another in every crop"
    assert torch.equal(spoilt(classes, 0.0, LEVELS), classes)
