"""Pre-emphasis and mu-law: waveform to bins and back, exact up to the quantization."""

import numpy as np
import pytest
import torch

from helpers import reference
from helpers.tiny import noise
from speechvq.audio.mulaw import MuLawCodec

NUM_BINS = (2, 32, 256, 1024)


@pytest.mark.parametrize("emphasis", [0.0, 0.85, 0.97])
def test_preemphasis_equals_its_loop(emphasis: float) -> None:
    codec, wave = MuLawCodec(emphasis, 256), noise(2, 200)
    ours = codec.preemphasize(wave)
    for i in range(2):
        by_loop = reference.preemphasize(wave[i].double().numpy(), emphasis, codec.gain)
        assert np.allclose(ours[i].numpy(), by_loop, atol=1e-6)


@pytest.mark.parametrize("num_bins", NUM_BINS)
def test_bins_are_those_of_mu_law(num_bins: int) -> None:
    values = torch.linspace(-1, 1, 701)[None]
    ours = MuLawCodec(0.0, num_bins).encode(values)[0]
    by_loop = torch.tensor([reference.mu_law(float(v), num_bins) for v in values[0].double()])
    assert (ours - by_loop).abs().max() <= 1 and (ours != by_loop).sum() < 4, "equal except for rounding ties"
    assert ours[0] == 0 and ours[-1] == num_bins - 1
    assert (ours[1:] >= ours[:-1]).all()


@pytest.mark.parametrize("num_bins", NUM_BINS)
def test_values_beyond_full_scale_are_clipped(num_bins: int) -> None:
    loud = torch.tensor([[-9.0, 9.0, float("inf"), -float("inf")]])
    assert MuLawCodec(0.85, num_bins).encode(loud).tolist() == [[0, num_bins - 1, num_bins - 1, 0]]


@pytest.mark.parametrize("emphasis", [0.0, 0.85])
def test_decode_waveform_inverts_mu_law_and_preemphasis(emphasis: float) -> None:
    codec = MuLawCodec(emphasis, 256)
    bins = torch.randint(256, (2, 300), generator=torch.Generator().manual_seed(0))
    waves = codec.decode_waveform(bins)
    assert waves.shape == bins.shape and waves.dtype == torch.float32
    for i in range(2):
        expanded = np.array([reference.mu_law_inverse(int(index), 256) for index in bins[i]])
        by_loop = reference.deemphasize(expanded, emphasis, codec.gain)
        assert np.allclose(waves[i].numpy(), by_loop, atol=1e-4)


@pytest.mark.parametrize("emphasis", [0.0, 0.85])
def test_encoding_a_decoded_waveform_returns_the_bins(emphasis: float) -> None:
    codec = MuLawCodec(emphasis, 256)
    bins = codec.encode(codec.preemphasize(noise(1, 4_000)))
    again = codec.encode(codec.preemphasize(codec.decode_waveform(bins)))
    assert torch.equal(bins, again)


@pytest.mark.parametrize("emphasis", [0.0, 0.85])
def test_the_round_trip_error_is_at_most_the_quantization_step(emphasis: float) -> None:
    """The step at x is 2 ln(256) (1 + 255 |x|) / 255^2; the largest error is half a step."""
    codec, wave = MuLawCodec(emphasis, 256), noise(1, 4_000) / 2  # not clipped
    preemphasized = codec.preemphasize(wave)
    back = codec.decode_waveform(codec.encode(preemphasized))
    error = (codec.preemphasize(back) - preemphasized).abs()
    bound = 1.05 * np.log(256) * (1 / 255 + preemphasized.abs()) / 255
    assert (error < bound + 1e-6).all()
    assert float((back - wave).square().mean().sqrt() / wave.square().mean().sqrt()) < 0.05


def test_silence_decodes_to_nearly_zero() -> None:
    codec = MuLawCodec(0.85, 256)
    bins = codec.encode(codec.preemphasize(torch.zeros(1, 100)))
    assert len(bins.unique()) == 1 and codec.decode_waveform(bins).abs().max() < 1e-3


@pytest.mark.parametrize("emphasis", [0.0, 0.85, 0.99])
@pytest.mark.parametrize("edges", [[0, 1, 2, 50, 300], [0, 299, 300]])
def test_deemphasis_by_blocks_equals_the_whole(edges: list[int], emphasis: float) -> None:
    codec, last, parts = MuLawCodec(emphasis, 256), None, []
    bins = torch.randint(256, (3, 300), generator=torch.Generator().manual_seed(1))
    for start, stop in zip(edges, edges[1:]):
        parts.append(codec.deemphasize(codec.decode(bins[:, start:stop]), last))
        last = parts[-1][:, -1]
    assert torch.allclose(torch.cat(parts, dim=1), codec.decode_waveform(bins), atol=1e-6)
