"""For a decoder with short taps and no long ones the kernels read periods where there was room for one."""

import numpy as np
import torch

from speechvq.config import WaveNetConfig
from speechvq.speech.compiled import _Group
from speechvq.speech.script import Script
from speechvq.speech.wavenet import WaveNet

CONFIG = WaveNetConfig(1, 3, 8, 8, 8, 8, 4, 32, pitch=True, short_taps=4)


def test_there_is_one_for_every_sample() -> None:
    script = Script(torch.zeros(2, 6, 4), torch.zeros(2, dtype=torch.long), 8, torch.zeros(2, 6))
    told = _Group(WaveNet(CONFIG, 4, speakers=1), script, [1, 0], "fp32").told(2, 5, np.zeros((2, 24)))
    assert told.lags.shape == told.uniforms.shape == (2, 24)
