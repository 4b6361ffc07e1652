"""With two speakers, the held-out speaker gap compared each speaker with itself and was always zero."""

from speechvq.training.tasks.speech_heldout import offset_to_another_speaker


def test_the_shift_maps_every_speaker_to_another() -> None:
    for speakers in range(2, 50):
        assert all(
            (number + offset_to_another_speaker(speakers)) % speakers != number for number in range(speakers)
        )
    assert offset_to_another_speaker(1) >= 1
