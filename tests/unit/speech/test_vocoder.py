"""The vocoder: identity before training, context, chunks, batches, and whose losses train whom."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers.tiny import MODEL, WAVENET
from speechvq.audio.f0_conditioning import f0_features
from speechvq.audio.mulaw import MuLawCodec
from speechvq.config import SourceFilterConfig, SpeechConfig, VocoderConfig
from speechvq.errors import UserError
from speechvq.speech.decoder.decoder import Decoder
from speechvq.speech.model import SpeechVQ
from speechvq.speech.sampling import vocode as vocode_module
from speechvq.speech.sampling.request import SynthesisRequest
from speechvq.speech.sampling.synthesize import SamplingOptions, synthesize
from speechvq.speech.source_filter.source_filter import FRAME_SAMPLES
from speechvq.speech.source_filter.synthesis import laplace
from speechvq.speech.vocoder.losses import MelLoss
from speechvq.speech.vocoder.vocoder import FFT, Vocoder
from speechvq.training.tasks.vocoder import AdversarialVocoder

BANDS, SPEAKER_DIM = 8, 4
SIZES = VocoderConfig(channels=8, hidden_channels=12, layers=3, lookahead_frames=1, discriminator_channels=2)
CONFIG = dataclasses.replace(
    MODEL,
    encoder=dataclasses.replace(MODEL.encoder, strides=(32, 10)),  # two spectra per code
    wavenet=dataclasses.replace(
        WAVENET, condition_on_f0=True, condition_on_phase=True, speaker_dim=SPEAKER_DIM
    ),
    source_filter=SourceFilterConfig(filter_order=4, num_harmonics=6, channels=8, mel_bands=BANDS),
    vocoder=SIZES,
    decoder_segment_length=3_200,
)


def perturb(module: torch.nn.Module, scale: float = 0.1) -> torch.nn.Module:
    torch.manual_seed(1)
    for parameter in module.parameters():
        parameter.data += scale * torch.randn_like(parameter)
    return module.eval()


def inputs(streams: int, frames: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    source = 0.1 * torch.randn(streams, frames * FRAME_SAMPLES, generator=generator)
    log_mel = torch.randn(streams, frames, BANDS, generator=generator)
    speaker = torch.randn(streams, SPEAKER_DIM, generator=generator)
    f0 = f0_features(100 + 100 * torch.rand(streams, frames, generator=generator))
    return [source, log_mel, speaker, f0]


def test_untrained_vocoder_removes_only_the_lowest_bins() -> None:
    vocoder = Vocoder(SIZES, BANDS, SPEAKER_DIM).eval()
    time = torch.arange(40 * FRAME_SAMPLES) / 16_000
    tone, rumble = torch.sin(2 * torch.pi * 1000 * time), torch.sin(2 * torch.pi * 15 * time)
    _, *conditions = inputs(1, 40)
    with torch.no_grad():
        out = vocoder((tone + rumble)[None], *conditions)[0]
    inner = slice(FFT, -FFT)
    assert (out - tone)[inner].abs().max() < 0.03  # 30 dB below the rumble


def test_a_sample_depends_on_the_stated_context_only() -> None:
    vocoder = perturb(Vocoder(SIZES, BANDS, SPEAKER_DIM))
    assert isinstance(vocoder, Vocoder)
    past, future = vocoder.context_frames
    frames, middle = 60, 30
    every = inputs(1, frames)
    with torch.no_grad():
        whole = vocoder(*every)[0].view(frames, FRAME_SAMPLES)[middle]
    for changed, is_equal in (
        (slice(0, middle - past), True),
        (slice(middle + future + 1, frames), True),
        (slice(middle, middle + 1), False),
        (slice(middle + SIZES.lookahead_frames, middle + SIZES.lookahead_frames + 1), False),
    ):
        other = [each.clone() for each in every]
        other[0].view(1, frames, FRAME_SAMPLES)[:, changed] += 1
        other[1][:, changed] += 1
        other[3][:, :, changed] += 1
        with torch.no_grad():
            found = vocoder(*other)[0].view(frames, FRAME_SAMPLES)[middle]
        assert torch.allclose(found, whole, atol=1e-6) == is_equal


def test_padding_has_no_effect_on_a_row() -> None:
    vocoder = perturb(Vocoder(SIZES, BANDS, SPEAKER_DIM))
    every = inputs(2, 25)
    with torch.no_grad():
        both = vocoder(*every, torch.tensor([25, 14]))
        alone = vocoder(
            every[0][1:, : 14 * FRAME_SAMPLES], every[1][1:, :14], every[2][1:], every[3][1:, :, :14]
        )
        first = vocoder(*(each[:1] for each in every))
    assert torch.allclose(both[1, : 14 * FRAME_SAMPLES], alone[0], atol=1e-5)
    assert torch.allclose(both[0], first[0], atol=1e-5)


def request(lengths: list[int]) -> SynthesisRequest:
    generator = torch.Generator().manual_seed(3)
    streams, frames = len(lengths), max(lengths)
    f0 = 100 + 200 * torch.rand(streams, frames, generator=generator)
    f0[:, 3:9] = 0
    return SynthesisRequest(
        torch.randn(streams, frames, CONFIG.quantizer.dim, generator=generator),
        torch.arange(streams) % 2,
        CONFIG.hop,
        f0,
        torch.tensor(lengths),
        torch.randint(1, 200, (streams, frames * CONFIG.hop), generator=generator).byte(),
    )


def decoder() -> Decoder:
    torch.manual_seed(0)
    made = perturb(Decoder(CONFIG, 2, MuLawCodec(0.85, CONFIG.wavenet.mulaw_bins)), 0.05)
    assert isinstance(made, Decoder)
    return made


def test_chunks_and_batches_give_the_same_waveforms(monkeypatch: pytest.MonkeyPatch) -> None:
    model, both = decoder(), request([43, 30])
    whole = synthesize(model, both, SamplingOptions(seed=5))
    assert [len(wave) for wave in whole] == [43 * CONFIG.hop, 30 * CONFIG.hop]
    alone = synthesize(model, request([43, 30]).select([1]), SamplingOptions(seed=5))[0]
    assert np.allclose(alone, whole[1], atol=1e-5)
    for chunk in (1, 7, 16):
        monkeypatch.setattr(vocode_module, "CHUNK_CODES", chunk)
        parts = synthesize(model, both, SamplingOptions(seed=5))
        assert all(np.allclose(*pair, atol=1e-5) for pair in zip(parts, whole))
    other = synthesize(model, both, SamplingOptions(seed=6))
    assert not np.allclose(other[0], whole[0], atol=1e-3)


def test_options_of_a_wavenet_are_refused() -> None:
    for options in (SamplingOptions(temperature=0.5), SamplingOptions(top_p=0.9)):
        with pytest.raises(UserError, match="vocoder"):
            synthesize(decoder(), request([2]), options)


def test_laplace_numbers_have_the_density_of_scale_one() -> None:
    noise = laplace((torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000)
    assert float(noise.mean()) == pytest.approx(0, abs=1e-6)
    assert float(noise.abs().mean()) == pytest.approx(1, abs=1e-3)
    assert float(noise.var()) == pytest.approx(2, abs=1e-2)
    for dtype in (torch.float32, torch.float64):
        assert torch.isfinite(laplace(torch.zeros(1, dtype=dtype))).all()
        assert torch.isfinite(laplace(torch.full((1,), 1 - torch.finfo(dtype).eps / 2, dtype=dtype))).all()


def test_mel_loss_of_a_gain_is_the_gain() -> None:
    wave = torch.randn(2, 8000)
    distance = MelLoss()
    assert float(distance(wave, wave)) == 0
    assert float(distance(wave, 2 * wave)) == pytest.approx(np.log(2), abs=1e-3)


def test_each_loss_trains_its_own_side() -> None:
    torch.manual_seed(0)
    training = AdversarialVocoder(SpeechVQ(CONFIG, ["a", "b"])).train()
    training.model.eval()
    training.model.requires_grad_(False)
    vocoder = training.model.decoder.vocoder
    assert vocoder is not None
    vocoder.requires_grad_(True)
    wave, f0 = 0.1 * torch.randn(2, 6_400), torch.full((2, 40), 120.0)
    crops = wave, torch.tensor([0, 1]), f0, torch.randint(1, 200, (2, 6_400)).byte()

    def gradients(part: torch.nn.Module) -> float:
        return sum(float(p.grad.abs().sum()) for p in part.parameters() if p.grad is not None)

    torch.manual_seed(1)
    losses = training.adversarial(*crops)
    losses.total.backward()
    both = gradients(vocoder), gradients(training.discriminators)
    assert min(both) > 0
    assert all(p.grad is None for name, p in training.model.named_parameters() if "vocoder" not in name)
    # The discriminators' gradient is that of their own loss.
    training.zero_grad()
    torch.manual_seed(1)
    spectral = training.spectral(*crops)
    assert float(spectral.mel) == pytest.approx(float(losses.mel), rel=1e-5)
    spectral.total.backward()
    assert gradients(training.discriminators) == pytest.approx(both[1], rel=1e-4)


def test_a_vocoder_has_no_likelihood_and_needs_harmonics() -> None:
    with pytest.raises(ValueError, match="no likelihood"):
        decoder().nll(torch.zeros(1, 320), torch.zeros(1, 1, CONFIG.quantizer.dim), torch.tensor([0]))
    with pytest.raises(UserError, match="vocoder.channels"):
        SpeechConfig(vocoder=SIZES)
    with pytest.raises(UserError, match="lookahead"):
        VocoderConfig(channels=8, layers=2, lookahead_frames=3)
