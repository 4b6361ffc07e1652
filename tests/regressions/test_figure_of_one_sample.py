"""The figure of a recording that is shorter than half a code crashed, because it had codes to show but none
within its duration.
"""

from pathlib import Path

import numpy as np
import pytest

from speechvq.plots.conversion import plot_conversion


@pytest.mark.parametrize("count", [1, 79, 160])
def test_a_recording_shorter_than_a_code_has_a_figure(tmp_path: Path, count: int) -> None:
    wave = np.zeros(count, np.float32)
    plot_conversion(
        tmp_path / "a.png", wave, np.array([3]), {"ada": wave}, title="a", frame_rate=100, num_codes=8
    )
    assert (tmp_path / "a.png").stat().st_size
