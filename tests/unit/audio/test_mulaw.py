"""From the waveform to classes and back: the exact inverse, but for the rounding of mu-law."""

import numpy as np
import pytest
import torch

from helpers import reference
from helpers.tiny import noise
from speechvq.audio.mulaw import MuLawCodec

LEVELS = (2, 32, 256, 1024)


@pytest.mark.parametrize("emphasis", [0.0, 0.85, 0.97])
def test_preemphasis_equals_its_loop(emphasis: float) -> None:
    companding, wave = MuLawCodec(emphasis, 256), noise(2, 200)
    ours = companding.preemphasize(wave)
    for i in range(2):
        by_loop = reference.preemphasize(wave[i].double().numpy(), emphasis, companding.gain)
        assert np.allclose(ours[i].numpy(), by_loop, atol=1e-6)


@pytest.mark.parametrize("levels", LEVELS)
def test_bins_are_those_of_mu_law(levels: int) -> None:
    values = torch.linspace(-1, 1, 701)[None]
    ours = MuLawCodec(0.0, levels).encode(values)[0]
    by_loop = torch.tensor([reference.mu_law(float(v), levels) for v in values[0].double()])
    assert (ours - by_loop).abs().max() <= 1 and (ours != by_loop).sum() < 4, "equal but for ties in rounding"
    assert ours[0] == 0 and ours[-1] == levels - 1
    assert (ours[1:] >= ours[:-1]).all()


@pytest.mark.parametrize("levels", LEVELS)
def test_values_beyond_full_scale_are_clipped(levels: int) -> None:
    loud = torch.tensor([[-9.0, 9.0, float("inf"), -float("inf")]])
    assert MuLawCodec(0.85, levels).encode(loud).tolist() == [[0, levels - 1, levels - 1, 0]]


@pytest.mark.parametrize("emphasis", [0.0, 0.85])
def test_decode_waveform_inverts_mu_law_and_preemphasis(emphasis: float) -> None:
    companding = MuLawCodec(emphasis, 256)
    levels = torch.randint(256, (2, 300), generator=torch.Generator().manual_seed(0))
    waves = companding.decode_waveform(levels)
    assert waves.shape == levels.shape and waves.dtype == torch.float32
    for i in range(2):
        expanded = np.array([reference.mu_law_inverse(int(level), 256) for level in levels[i]])
        by_loop = reference.deemphasize(expanded, emphasis, companding.gain)
        assert np.allclose(waves[i].numpy(), by_loop, atol=1e-4)


@pytest.mark.parametrize("emphasis", [0.0, 0.85])
def test_encoding_a_decoded_waveform_returns_the_bins(emphasis: float) -> None:
    companding = MuLawCodec(emphasis, 256)
    levels = companding.encode(companding.preemphasize(noise(1, 4_000)))
    again = companding.encode(companding.preemphasize(companding.decode_waveform(levels)))
    assert torch.equal(levels, again)


@pytest.mark.parametrize("emphasis", [0.0, 0.85])
def test_the_round_trip_error_is_at_most_the_quantization_step(emphasis: float) -> None:
    """A step of mu-law at x is ln(256) (1 + 255 |x|) / 255 high in 255 steps from -1 to 1; half of it is
    lost."""
    companding, wave = MuLawCodec(emphasis, 256), noise(1, 4_000) / 2  # never clipped
    emphasised = companding.preemphasize(wave)
    back = companding.decode_waveform(companding.encode(emphasised))
    error = (companding.preemphasize(back) - emphasised).abs()
    bound = 1.05 * np.log(256) * (1 / 255 + emphasised.abs()) / 255
    assert (error < bound + 1e-6).all()
    assert float((back - wave).square().mean().sqrt() / wave.square().mean().sqrt()) < 0.05


def test_silence_decodes_to_nearly_zero() -> None:
    companding = MuLawCodec(0.85, 256)
    levels = companding.encode(companding.preemphasize(torch.zeros(1, 100)))
    assert len(levels.unique()) == 1 and companding.decode_waveform(levels).abs().max() < 1e-3


@pytest.mark.parametrize("emphasis", [0.0, 0.85, 0.99])
@pytest.mark.parametrize("edges", [[0, 1, 2, 50, 300], [0, 299, 300]])
def test_deemphasis_by_blocks_equals_the_whole(edges: list[int], emphasis: float) -> None:
    companding, last, parts = MuLawCodec(emphasis, 256), None, []
    levels = torch.randint(256, (3, 300), generator=torch.Generator().manual_seed(1))
    for start, stop in zip(edges, edges[1:]):
        parts.append(companding.deemphasize(companding.decode(levels[:, start:stop]), last))
        last = parts[-1][:, -1]
    assert torch.allclose(torch.cat(parts, dim=1), companding.decode_waveform(levels), atol=1e-6)
