"""With top_p = 0 no bin was left, and the last one was drawn for ever."""

import torch

from speechvq.categorical import sample_categorical


def test_the_likeliest_level_always_stays() -> None:
    logits = torch.randn(50, 9)
    assert torch.equal(sample_categorical(logits, torch.rand(50), top_p=0.0), logits.argmax(-1))
