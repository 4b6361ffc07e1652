"""With top_p = 0, no bin was left and the last one was always sampled."""

import torch

from speechvq.categorical import sample_categorical


def test_top_p_of_zero_keeps_the_most_likely_class() -> None:
    logits = torch.randn(50, 9)
    assert torch.equal(sample_categorical(logits, torch.rand(50), top_p=0.0), logits.argmax(-1))
