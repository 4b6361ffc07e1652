"""The time-varying all-pole filter equals scipy frame by frame, in chunks of any length."""

import numpy as np
import pytest
from scipy.signal import lfilter, lfiltic

from speechvq.speech.sampling.all_pole import all_pole


def expected(excitation: np.ndarray, taps: np.ndarray, hop: int) -> np.ndarray:
    out = np.zeros(0)
    for frame, weights in enumerate(taps):
        poles = np.append(1.0, -weights)
        before = np.append(out[::-1], np.zeros(len(weights)))[: len(weights)]
        part, _ = lfilter(
            [1.0], poles, excitation[frame * hop : (frame + 1) * hop], zi=lfiltic([1.0], poles, before)
        )
        out = np.append(out, part)
    return out


@pytest.mark.parametrize("hop", [1, 3, 20])
@pytest.mark.parametrize("chunk", [1, 2, 12])
def test_the_filter_equals_scipy(hop: int, chunk: int) -> None:
    rng = np.random.default_rng(0)
    excitation, taps = rng.standard_normal(12 * hop), rng.uniform(-0.2, 0.2, (12, 4))
    ours, past = excitation.copy(), np.zeros(4)
    for frame in range(0, 12, chunk):
        all_pole(ours[frame * hop : (frame + chunk) * hop], taps[frame : frame + chunk], past, hop)
    assert np.allclose(ours, expected(excitation, taps, hop))
    newest = np.append(ours[::-1], np.zeros(4))[:4]
    assert np.allclose(past, newest)
