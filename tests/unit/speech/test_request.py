"""A script read in pieces is the script read whole."""

import dataclasses

import pytest
import torch
from torch import Tensor

from helpers.tiny import WAVENET
from speechvq.config import WaveNetConfig
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling.request import Piece, Script

TOLD = dataclasses.replace(WAVENET, pitch=True, phase=True)
FRAMES, DIM = 61, 4
CONTOURS = {
    "voiced": lambda n: 120 + n,
    "unvoiced": lambda n: 0,
    "voiced at the end": lambda n: 150 + n if n > 50 else 0,
    "voiced at the beginning": lambda n: 150 + n if n < 9 else 0,
    "long unvoiced stretches": lambda n: 90 + 3 * n if n % 23 in (7, 8) else 0,
    "every other frame": lambda n: 100 + 2 * n if n % 2 else 0,
}


def wavenet(config: WaveNetConfig = TOLD) -> WaveNet:
    torch.manual_seed(0)
    made = WaveNet(config, DIM, speakers=6)
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return made.eval()


def vectors(streams: int) -> Tensor:
    return torch.randn(streams, FRAMES, DIM, generator=torch.Generator().manual_seed(1))


def contours() -> Tensor:
    return torch.tensor([[float(contour(n)) for n in range(FRAMES)] for contour in CONTOURS.values()])


def phases(streams: int, hop: int) -> Tensor:
    return torch.randint(65, (streams, FRAMES * hop), generator=torch.Generator().manual_seed(4)).byte()


@torch.no_grad()
def whole(model: WaveNet, script: Script) -> Piece:
    """What the decoder is told, in one go and without anything of `Script`."""
    return Piece(
        model.conditioning(script.vectors, script.speaker, script.pitch, script.frames), script.phase
    )


def in_pieces(model: WaveNet, script: Script, length: int) -> Piece:
    """Read piece by piece, and put together."""
    read = [script.read(model, n, min(n + length, FRAMES)) for n in range(0, FRAMES, length)]
    parts = [None if part[0] is None else torch.cat(part, dim=-1) for part in zip(*read)]
    return Piece(*parts)


@pytest.mark.parametrize("hop", [1, 5, 64])
@pytest.mark.parametrize("length", [1, 2, 3, 7, 60, 61])
def test_pieces_equal_the_whole(length: int, hop: int) -> None:
    model = wavenet()
    script = Script(vectors(6), torch.arange(6), hop, contours(), phase=phases(6, hop))
    ours, expected = in_pieces(model, script, length), whole(model, script)
    assert torch.allclose(ours.biases, expected.biases, atol=1e-5)
    assert ours.phases is not None and torch.equal(ours.phases, phases(6, hop))


@pytest.mark.parametrize("length", [1, 4, 61])
def test_what_follows_a_streams_own_frames_is_its_edge(length: int) -> None:
    model, frames = wavenet(), torch.tensor([61, 1, 0, 30, 59, 33])
    script = Script(vectors(6), torch.arange(6), 8, contours(), frames)
    ours = in_pieces(model, script, length)
    assert torch.allclose(ours.biases, whole(model, script).biases, atol=1e-5)
    for row, own in enumerate(frames.tolist()):
        if not own:
            continue
        alone = script.rows([row])
        alone = whole(
            model, alone._replace(vectors=alone.vectors[:, :own], pitch=alone.pitch[:, :own], frames=None)
        )
        assert torch.allclose(ours.biases[row, :, :own], alone.biases[0], atol=1e-5)


def test_a_plain_decoder_is_told_no_phases() -> None:
    model = wavenet(WAVENET)
    script = Script(vectors(2), torch.arange(2), 8, phase=phases(2, 8))
    ours = in_pieces(model, script, 5)
    assert ours.phases is None
    assert torch.allclose(ours.biases, whole(model, script).biases, atol=1e-5)


def test_nothing_reaches_further_than_it_is_said() -> None:
    """A frame's vector and pitch change what is told within the network's reach, up to the last frame of it."""
    model, middle = wavenet(), 30
    reach = model.conditioning.network.reach
    script = Script(vectors(1), torch.zeros(1, dtype=torch.long), 1, torch.full((1, FRAMES), 140.0))
    before = whole(model, script).biases
    other = script.vectors.clone()
    other[:, middle] += 1.0
    higher = script.pitch.clone()
    higher[:, middle] *= 1.5
    for changed in (script._replace(vectors=other), script._replace(pitch=higher)):
        places = (whole(model, changed).biases != before).any(1)[0].nonzero()[:, 0]
        assert places.tolist() == list(range(middle - reach, middle + reach + 1))


def test_rows_are_some_of_the_streams() -> None:
    frames = torch.tensor([5, 4, 3, 2, 1, 0])
    script = Script(vectors(6), torch.arange(6), 8, contours(), frames)
    some = script.rows([4, 1])
    assert torch.equal(some.vectors, script.vectors[[4, 1]]) and some.speaker.tolist() == [4, 1]
    assert some.pitch is not None and torch.equal(some.pitch, contours()[[4, 1]])
    assert some.lengths() == [1, 4] and some.hop == 8
    assert Script(vectors(6), torch.arange(6), 8).rows([2]).lengths() == [FRAMES]
