"""The phone set is that of CMUdict; each eSpeak mnemonic maps to one phone."""

import pytest

from speechvq.alignment.phones import ESPEAK_NAMES, PHONES, SILENCE, STOPS, VOWELS, arpabet


def test_the_set_is_the_39_phones_of_cmudict_and_silence():
    assert len(set(PHONES)) == len(PHONES) == 40
    assert PHONES[-1] == SILENCE
    assert len(VOWELS) == 15
    assert set(STOPS) <= set(PHONES)


def test_every_phone_has_espeak_mnemonics_and_no_mnemonic_has_two_phones():
    names = [name for group in ESPEAK_NAMES.values() for name in group.split()]
    assert set(ESPEAK_NAMES) == set(PHONES)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("mnemonic", "phone"),
    [("'eI", "EY"), ("eI", "EY"), ("tS", "CH"), (",0", "AA"), ("%@", "AH"), ("_:", "SIL"), ("''aI@", "AY")],
)
def test_stress_marks_are_ignored(mnemonic, phone):
    assert arpabet(mnemonic) == phone


def test_an_unknown_mnemonic_is_refused():
    with pytest.raises(ValueError, match="'Q'"):
        arpabet("Q")
