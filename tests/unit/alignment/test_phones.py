"""The phone set is CMUdict's, and eSpeak's names fall into it without doubt."""

import pytest

from speechvq.alignment.phones import ESPEAK_NAMES, PHONES, SILENCE, STOPS, VOWELS, arpabet


def test_the_set_is_the_39_phones_of_cmudict_and_silence():
    assert len(set(PHONES)) == len(PHONES) == 40
    assert PHONES[-1] == SILENCE
    assert len(VOWELS) == 15
    assert set(STOPS) <= set(PHONES)


def test_every_phone_has_a_name_in_espeak_and_no_name_has_two_phones():
    names = [name for group in ESPEAK_NAMES.values() for name in group.split()]
    assert set(ESPEAK_NAMES) == set(PHONES)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("mnemonic", "phone"),
    [("'eI", "EY"), ("eI", "EY"), ("tS", "CH"), (",0", "AA"), ("%@", "AH"), ("_:", "SIL"), ("''aI@", "AY")],
)
def test_stress_marks_do_not_matter(mnemonic, phone):
    assert arpabet(mnemonic) == phone


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="'Q'"):
        arpabet("Q")
