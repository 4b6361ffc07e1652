"""The conditioning of a request, computed in chunks, equals that of the whole request."""

import dataclasses

import pytest
import torch
from torch import Tensor

from helpers.tiny import WAVENET
from speechvq.audio.glottal_phase import NUM_PHASE_BINS
from speechvq.config import WaveNetConfig
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling.request import ConditioningChunk, SynthesisRequest

CONDITIONED = dataclasses.replace(WAVENET, condition_on_f0=True, condition_on_phase=True)
FRAMES, DIM = 61, 4
CONTOURS = {
    "voiced": lambda n: 120 + n,
    "unvoiced": lambda n: 0,
    "voiced at the end": lambda n: 150 + n if n > 50 else 0,
    "voiced at the beginning": lambda n: 150 + n if n < 9 else 0,
    "long unvoiced stretches": lambda n: 90 + 3 * n if n % 23 in (7, 8) else 0,
    "every other frame": lambda n: 100 + 2 * n if n % 2 else 0,
}


def wavenet(config: WaveNetConfig = CONDITIONED) -> WaveNet:
    torch.manual_seed(0)
    made = WaveNet(config, DIM, num_speakers=6)
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return made.eval()


def vectors(streams: int) -> Tensor:
    return torch.randn(streams, FRAMES, DIM, generator=torch.Generator().manual_seed(1))


def contours() -> Tensor:
    return torch.tensor([[float(contour(n)) for n in range(FRAMES)] for contour in CONTOURS.values()])


def phases(streams: int, hop: int) -> Tensor:
    return torch.randint(
        NUM_PHASE_BINS + 1, (streams, FRAMES * hop), generator=torch.Generator().manual_seed(4)
    ).byte()


@torch.no_grad()
def whole(model: WaveNet, request: SynthesisRequest) -> ConditioningChunk:
    """The conditioning at once, without the methods of `SynthesisRequest`."""
    return ConditioningChunk(
        model.conditioning(request.vectors, request.speaker, request.f0, request.num_frames), request.phase
    )


def in_chunks(model: WaveNet, request: SynthesisRequest, length: int) -> ConditioningChunk:
    """The conditioning in chunks, concatenated."""
    read = [request.conditioning(model, n, min(n + length, FRAMES)) for n in range(0, FRAMES, length)]
    parts = [None if part[0] is None else torch.cat(part, dim=-1) for part in zip(*read)]
    return ConditioningChunk(*parts)


@pytest.mark.parametrize("hop", [1, 5, 64])
@pytest.mark.parametrize("length", [1, 2, 3, 7, 60, 61])
def test_chunks_equal_the_whole(length: int, hop: int) -> None:
    model = wavenet()
    request = SynthesisRequest(vectors(6), torch.arange(6), hop, contours(), phase=phases(6, hop))
    ours, expected = in_chunks(model, request, length), whole(model, request)
    assert torch.allclose(ours.biases, expected.biases, atol=1e-5)
    assert ours.phases is not None and torch.equal(ours.phases, phases(6, hop))


@pytest.mark.parametrize("length", [1, 4, 61])
def test_frames_after_the_end_of_a_stream_do_not_change_it(length: int) -> None:
    model, frames = wavenet(), torch.tensor([61, 1, 0, 30, 59, 33])
    request = SynthesisRequest(vectors(6), torch.arange(6), 8, contours(), frames)
    ours = in_chunks(model, request, length)
    assert torch.allclose(ours.biases, whole(model, request).biases, atol=1e-5)
    for row, length in enumerate(frames.tolist()):
        if not length:
            continue
        alone = request.select([row])
        alone = whole(
            model, alone._replace(vectors=alone.vectors[:, :length], f0=alone.f0[:, :length], num_frames=None)
        )
        assert torch.allclose(ours.biases[row, :, :length], alone.biases[0], atol=1e-5)


def test_a_decoder_without_phase_gets_no_phases() -> None:
    model = wavenet(WAVENET)
    request = SynthesisRequest(vectors(2), torch.arange(2), 8, phase=phases(2, 8))
    ours = in_chunks(model, request, 5)
    assert ours.phases is None
    assert torch.allclose(ours.biases, whole(model, request).biases, atol=1e-5)


def test_the_context_is_as_wide_as_stated() -> None:
    """A code vector or F0 value changes the conditioning within the context, up to its last frame."""
    model, middle = wavenet(), 30
    context = model.conditioning.network.context_frames
    request = SynthesisRequest(
        vectors(1), torch.zeros(1, dtype=torch.long), 1, torch.full((1, FRAMES), 140.0)
    )
    before = whole(model, request).biases
    other = request.vectors.clone()
    other[:, middle] += 1.0
    higher = request.f0.clone()
    higher[:, middle] *= 1.5
    for changed in (request._replace(vectors=other), request._replace(f0=higher)):
        places = (whole(model, changed).biases != before).any(1)[0].nonzero()[:, 0]
        assert places.tolist() == list(range(middle - context, middle + context + 1))


def test_select_picks_streams() -> None:
    frames = torch.tensor([5, 4, 3, 2, 1, 0])
    request = SynthesisRequest(vectors(6), torch.arange(6), 8, contours(), frames)
    some = request.select([4, 1])
    assert torch.equal(some.vectors, request.vectors[[4, 1]]) and some.speaker.tolist() == [4, 1]
    assert some.f0 is not None and torch.equal(some.f0, contours()[[4, 1]])
    assert some.lengths() == [1, 4] and some.hop == 8
    assert SynthesisRequest(vectors(6), torch.arange(6), 8).select([2]).lengths() == [FRAMES]
