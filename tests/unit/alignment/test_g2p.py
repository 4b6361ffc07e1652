"""Pronunciations of unknown words: by their parts, by the names of their letters, or by rules."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechvq.alignment.g2p import pronounce, read_dictionary, spell
from speechvq.alignment.phones import PHONES
from speechvq.errors import UserError

KNOWN = {
    "bird": "B ER D", "house": "HH AW S", "cat": "K AE T", "dog": "D AO G", "bake": "B EY K",
    "want": "W AA N T",
    "hop": "HH AA P", "don't": "D OW N T", "ho": "HH OW", "birdho": "X", "fox": "F AA K S",
    "v": "V IY", "c": "S IY", "t": "T IY", "k": "K EY", "buzz": "B AH Z",
}  # fmt: skip


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("cat", "K AE T"),
        ("don't", "D OW N T"),
        ("birdhouse", "B ER D HH AW S"),  # not "birdho" + "use"
        ("cat's", "K AE T S"), ("dogs", "D AO G Z"), ("fox's", "F AA K S IH Z"), ("dogs'", "D AO G Z"),
        ("wanted", "W AA N T IH D"), ("baked", "B EY K T"), ("hopped", "HH AA P T"), ("buzzed", "B AH Z D"),
        ("baking", "B EY K IH NG"), ("hopping", "HH AA P IH NG"), ("dogless", "D AO G L AH S"),
        ("vctk", "V IY S IY T IY K EY"),
        ("xqz", "Z K Z"),  # one letter has no name in the dictionary
        ("knight", "N AY T"), ("phlegm", "F L EH G M"), ("quota", "K W AA T AH"), ("wretched", "R EH CH T"),
        ("judge", "JH AH JH"), ("zorgle", "Z AO R G AH L"), ("nation", "N AE SH AH N"), ("cake", "K EY K"),
        ("he", "HH IY"), ("h", "AH"),
    ],
)  # fmt: skip
def test_unknown_words_are_pronounced(word: str, phones: str) -> None:
    assert pronounce(word, KNOWN.get) == phones


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=30))
def test_any_letters_have_phones(letters: str) -> None:
    for phones in (spell(letters), pronounce(letters, KNOWN.get)):
        assert phones and set(phones.split()) <= set(PHONES) - {"SIL"} | {"X"}


@pytest.mark.parametrize("word", ["", "'", "a1", "é"])
def test_a_string_that_is_not_a_word_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="not a word"):
        pronounce(word, KNOWN.get)


def test_a_dictionary_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "my.dict"
    path.write_text(";;; remark\n\nZork  Z AO1 R K\nzork(2) Z ER0 K\nvctk V IY1\n", encoding="utf-8")
    assert read_dictionary(path) == {"zork": "Z AO R K", "vctk": "V IY"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"zork\n", "line 1"),
        (b"a AH\nzork Z OH K\n", "line 2"),
        (b"a SIL\n", "line 1"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_an_invalid_dictionary_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "my.dict").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_dictionary(tmp_path / "my.dict")
    with pytest.raises(UserError, match="cannot be read"):
        read_dictionary(tmp_path / "none.dict")
