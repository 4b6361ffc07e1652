"""ABX equals fastabx, if it is installed (Python 3.12): the same items and the same errors."""

import numpy as np
import pytest

from speechvq.metrics.units.abx import abx_error
from speechvq.metrics.units.abx_items import Item
from speechvq.metrics.units.frame_distance import FrameDistance, angular, identical
from unit.metrics.test_abx import OPTIONS, AbxOptions, make_items

fastabx = pytest.importorskip("fastabx")
polars = pytest.importorskip("polars")
pytestmark = pytest.mark.filterwarnings("ignore")  # of fastabx


def fastabx_error(items: list[Item], frames: np.ndarray, options: AbxOptions, name: str) -> float:
    """The error that fastabx's `zerospeech_abx` computes, without subsampling."""
    import torch
    from fastabx.accessor import InMemoryAccessor

    contexts = [item.context for item in items]
    labels = polars.DataFrame(
        {
            "#phone": [item.phone for item in items],
            "prev-phone": [before for before, _ in contexts],
            "next-phone": [after for _, after in contexts],
            "speaker": [item.speaker for item in items],
        }
    )
    places = {i: (item.first, item.end) for i, item in enumerate(items)}
    data = torch.from_numpy(frames.reshape(len(frames), -1))
    dataset = fastabx.Dataset(labels, InMemoryAccessor(places, data, torch.device("cpu")))
    by = ["prev-phone", "next-phone"] if options.context == "within" else []
    speaker_condition = ["speaker"]
    conditions = (
        {"by": [*by, *speaker_condition]}
        if options.speakers == "within"
        else {"by": by, "across": speaker_condition}
    )
    task = fastabx.Task(dataset, on="#phone", **conditions)
    levels = ([("next-phone", "prev-phone")] if by else []) + speaker_condition
    return fastabx.Score(task, name, progress=False).collapse(levels=levels)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", ["angular", "identical"])
def test_error_equals_fastabx(options: AbxOptions, name: str) -> None:
    items, rng = make_items(150, seed=4), np.random.default_rng(5)
    size = items[-1].end
    frames = rng.standard_normal((size, 6), np.float32) if name == "angular" else rng.integers(3, size=size)
    distance: FrameDistance = angular(frames) if name == "angular" else identical(frames)
    expected = fastabx_error(items, frames, options, name)
    assert abx_error(items, distance, options).error == pytest.approx(expected, abs=1e-6)
