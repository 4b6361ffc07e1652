"""`convert` of many files noticed a signal only after a call of the kernels, many seconds later."""

import pytest
import torch

from speechvq.config import WaveNetConfig
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling import kernels, numba_engine
from speechvq.speech.sampling.request import SynthesisRequest


def test_the_threads_stop_between_two_code_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    model = WaveNet(WaveNetConfig(1, 1, 8, 8, 8, 8, 8, 8), dim=8, num_speakers=1).eval()
    request = SynthesisRequest(torch.zeros(40, 50, 8), torch.zeros(40, dtype=torch.long), 160)
    calls, samples = [], []
    monkeypatch.setattr(numba_engine, "_cores", lambda: 1)
    real = kernels.step_streams

    def interrupted(start: int, hop: int, active: int, bins: torch.Tensor, *rest: object) -> None:
        calls.append(start)
        samples.append(active * bins.shape[1])
        real(start, hop, active, bins, *rest)
        for group in groups:
            group.is_stopped = len(calls) == 3

    groups: list[numba_engine.StreamGroup] = []

    class Group(numba_engine.StreamGroup):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            groups.append(self)

    numba_engine.warm_up_jit("fp32")
    monkeypatch.setattr(kernels, "step_streams", interrupted)
    monkeypatch.setattr(numba_engine, "StreamGroup", Group)
    chunks = numba_engine.sample(model, request, lambda a, b: torch.rand(40, b - a), 1.0, 1.0)
    next(chunks)
    assert calls == [0, 320, 640] and max(samples) <= numba_engine.SAMPLES_PER_CALL


def test_an_exception_stops_the_threads() -> None:
    model = WaveNet(WaveNetConfig(1, 1, 8, 8, 8, 8, 8, 8), dim=8, num_speakers=1).eval()
    request = SynthesisRequest(torch.zeros(2, 1, 8), torch.zeros(2, dtype=torch.long), 8)
    groups = [numba_engine.StreamGroup(model, request, [i], "fp32") for i in range(2)]
    with pytest.raises(KeyboardInterrupt), numba_engine._threads(groups):
        raise KeyboardInterrupt
    assert all(group.is_stopped for group in groups)
