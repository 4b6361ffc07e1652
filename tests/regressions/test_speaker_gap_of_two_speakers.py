"""With two speakers, the wrong one of the held-out measure was the right one: its gap was always zero."""

from speechvq.training.tasks.speech_heldout import _shift


def test_the_other_speaker_is_another_speaker() -> None:
    for speakers in range(2, 50):
        assert all((number + _shift(speakers)) % speakers != number for number in range(speakers))
    assert _shift(1) >= 1
