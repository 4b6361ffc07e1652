"""Text normalization: written text becomes English words; other scripts are refused and never dropped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechvq.alignment.text_normalization import normalize_text
from speechvq.errors import UserError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World's 'quoted' don’t — it’s OK!", "hello world's quoted don't it's ok"),
        ("café naïve Ærø Straße", "cafe naive aero strasse"),
        ("well-known e.g. U.S.A.", "well known e g u s a"),
        ("0 7 12 20 21 100 101", "zero seven twelve twenty twenty one one hundred one hundred one"),
        ("1000 1,234", "one thousand one thousand two hundred thirty four"),
        ("1990, 1900 and 2026", "nineteen ninety nineteen hundred and two thousand twenty six"),
        ("1905", "nineteen oh five"),
        ("1,990 men", "one thousand nine hundred ninety men"),
        ("1st 2nd 3rd 4th 5th 8th 9th", "first second third fourth fifth eighth ninth"),
        ("12th 20th 21st 100th", "twelfth twentieth twenty first one hundredth"),
        ("the 1990s, 60's and 6s", "the nineteen nineties sixties and sixes"),
        ("3.5% & £5.50 or $1,000,000 a+b=c", "three point five percent and five point five zero pounds or "
         "one million dollars a plus b equals c"),
        ("agent 007, 15kg, B2B", "agent zero zero seven fifteen kg b two b"),
        ("1234567890123", "one two three four five six seven eight nine zero one two three"),
        ("99000000099", "ninety nine billion ninety nine"),
        ("Dr. Smith vs. St. Paul, dr and drst.", "doctor smith versus saint paul dr and drst"),
        ("١٢ ２ ½", "twelve two one two"),
        ("... -- '' ♥", ""),
    ],
)  # fmt: skip
def test_text_becomes_words(text: str, expected: str) -> None:
    assert normalize_text(text) == expected.split()


@pytest.mark.parametrize("text", ["привет", "hello 世界", "ωμέγα"])
def test_another_script_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="are not English letters"):
        normalize_text(text)


@given(st.text())
def test_any_text_gives_words_of_letters_or_one_error(text: str) -> None:
    try:
        found = normalize_text(text)
    except UserError:
        return
    assert all(set(word) <= set("abcdefghijklmnopqrstuvwxyz'") for word in found)
    assert all(word.strip("'") == word for word in found)
    assert normalize_text(" ".join(found)) == found


@given(st.integers(0, 10**13))
def test_any_number_becomes_words(number: int) -> None:
    assert (
        normalize_text(f"{number}")
        and normalize_text(f"{number:,}")
        and all(word.isalpha() for word in normalize_text(f"{number}"))
    )
