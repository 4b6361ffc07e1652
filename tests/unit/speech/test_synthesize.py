"""From a request to waveforms: random numbers of a seed, chunks, and where streams start and end."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from helpers.tiny import MODEL, WAVENET
from speechvq.audio.mulaw import MuLawCodec
from speechvq.config import QuantizerConfig
from speechvq.speech.decoder.decoder import Decoder
from speechvq.speech.sampling import numba_engine
from speechvq.speech.sampling.request import SynthesisRequest
from speechvq.speech.sampling.sampler import sample
from speechvq.speech.sampling.synthesize import SamplingOptions, random_uniforms, synthesize

HOP, DIM = 8, 4
MULAW = MuLawCodec(0.85, WAVENET.mulaw_bins)


@pytest.mark.parametrize("edges", [[0, 1, 2, 3, 1_000], [0, 999, 1_000], [0, 500, 500, 1_000], [0, 1_000]])
def test_random_numbers_do_not_depend_on_chunks(edges: list[int]) -> None:
    whole = random_uniforms(7, 0, 1_000)
    assert whole.dtype == torch.float64 and whole.shape == (1_000,)
    assert torch.equal(torch.cat([random_uniforms(7, a, b) for a, b in zip(edges, edges[1:])]), whole)


def test_random_numbers_are_uniform_and_differ_between_seeds() -> None:
    drawn = random_uniforms(2**63 - 1, 10**12, 10**12 + 10_000)  # the last second of two years
    assert 0 <= drawn.min() and drawn.max() < 1 and abs(float(drawn.mean()) - 0.5) < 0.01
    assert abs(float(drawn.var()) - 1 / 12) < 0.005
    assert not torch.equal(random_uniforms(0, 0, 9), random_uniforms(1, 0, 9))


def decoder() -> Decoder:
    torch.manual_seed(0)
    quantizer = QuantizerConfig(num_codes=8, dim=DIM)
    made = Decoder(dataclasses.replace(MODEL, quantizer=quantizer), 3, MULAW)
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return made.eval()


def request(*lengths: int) -> SynthesisRequest:
    vectors = torch.randn(len(lengths), max(lengths), DIM, generator=torch.Generator().manual_seed(0))
    return SynthesisRequest(vectors, torch.arange(len(lengths)) % 3, HOP, num_frames=torch.tensor(lengths))


def classes_of(waves: list[np.ndarray]) -> list[list[int]]:
    """The mu-law bins of waveforms."""
    return [MULAW.encode(MULAW.preemphasize(torch.from_numpy(wave)[None]))[0].tolist() for wave in waves]


@pytest.mark.parametrize("engine", ["numba", "torch"])
@pytest.mark.parametrize("piece", [8, 32, 4_096])
def test_waveforms_have_the_length_of_their_codes_for_any_chunk_size(
    piece: int, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba_engine, "SAMPLES_PER_BLOCK", piece)
    model, batch, calls = decoder(), request(3, 11, 1, 0), list[int]()
    sampling = SamplingOptions(seed=4, temperature=0.8, engine=engine)
    waves = synthesize(model, batch, sampling, on_frame=calls.append)
    assert [wave.shape for wave in waves] == [(24,), (88,), (8,), (0,)] and waves[0].dtype == np.float32
    assert calls == sorted(set(calls)) and calls[-1] == 11
    uniforms = random_uniforms(4, 0, 88).expand(4, -1)
    bins = sample(
        model.wavenet,
        batch.vectors,
        batch.speaker,
        uniforms,
        num_frames=batch.num_frames,
        temperature=0.8,
        engine="torch",
    )
    for wave, row in zip(waves, bins):
        whole = MULAW.decode_waveform(row[None, : len(wave)])[0].numpy() if len(wave) else np.empty(0)
        assert np.allclose(wave, whole, atol=1e-6)


def test_random_numbers_follow_the_offset_of_a_stream() -> None:
    model, batch = decoder(), request(6, 6, 6)
    offsets = [0, 40, 16]
    sampled = classes_of(synthesize(model, batch, SamplingOptions(seed=9), offsets=offsets))
    rows = torch.stack([random_uniforms(9, offset, offset + 48) for offset in offsets])
    assert sampled == sample(model.wavenet, batch.vectors, batch.speaker, rows).tolist()


def test_all_streams_share_the_random_numbers_of_the_seed() -> None:
    model, batch = decoder(), request(5, 5)
    batch = SynthesisRequest(batch.vectors[:1].expand(2, -1, -1), torch.zeros(2, dtype=torch.long), HOP)
    one, other = synthesize(model, batch, SamplingOptions(seed=1))
    assert np.array_equal(one, other)
