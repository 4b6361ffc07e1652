"""The context of the network over code frames."""

import pytest
import torch

from speechvq.speech.frame_network import FrameNetwork, split_lookahead


@pytest.mark.parametrize("dilations", [(1,), (1, 2, 4), (3, 1)])
@pytest.mark.parametrize("depth", [1, 4])
def test_the_context_is_what_an_output_depends_on(dilations: tuple[int, ...], depth: int) -> None:
    """Measured by gradients: the farthest frames with an effect are `context_frames` away on both sides."""
    torch.manual_seed(0)
    network = FrameNetwork(2, 1, 16, depth=depth, condition_on_f0=False, dilations=dilations)
    for layer in network.layers:
        layer.weight.data.abs_()  # no path is blocked by a ReLU
        layer.bias.data.abs_()
    vectors = torch.rand(1, 81, 2, requires_grad=True)
    network(vectors, torch.rand(1, 1))[0, :, 40].sum().backward()
    assert vectors.grad is not None
    frames = vectors.grad[0].abs().sum(1).nonzero().flatten()
    assert int(frames.min()) == 40 - network.context_frames
    assert int(frames.max()) == 40 + network.context_frames
    assert network.context_frames == sum(dilations[i % len(dilations)] for i in range(depth))


@pytest.mark.parametrize("lookahead", [0, 2, 5, 99])
def test_outputs_depend_on_no_frame_beyond_the_lookahead(lookahead: int) -> None:
    torch.manual_seed(0)
    dilations = (1, 2, 4)
    network = FrameNetwork(2, 1, 16, depth=3, condition_on_f0=False, dilations=dilations, lookahead=lookahead)
    for layer in network.layers:
        layer.weight.data.abs_()
        layer.bias.data.abs_()
    vectors = torch.rand(1, 81, 2, requires_grad=True)
    network(vectors, torch.rand(1, 1))[0, :, 40].sum().backward()
    assert vectors.grad is not None
    frames = vectors.grad[0].abs().sum(1).nonzero().flatten()
    later = min(lookahead, sum(dilations))
    assert int(frames.max()) == 40 + later
    assert int(frames.min()) == 40 - 2 * sum(dilations) + later
    assert network.context_frames == max(2 * sum(dilations) - later, later)


def test_the_lookahead_goes_to_the_first_layers() -> None:
    assert split_lookahead([1, 2, 4], 4) == [1, 2, 1]
    assert split_lookahead([1, 2, 4, 1], 2) == [1, 0, 0, 1]
    assert split_lookahead([4, 4], 3) == [3, 0]
    assert split_lookahead([1, 2, 4], 0) == [0, 0, 0]
    assert split_lookahead([1, 2, 4], -1) == [1, 2, 4]
