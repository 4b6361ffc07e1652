"""Text normalization for English: lower case, no punctuation, numbers written as words."""

import re
import unicodedata

from speechvq.errors import UserError

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ((10**9, "billion"), (10**6, "million"), (10**3, "thousand"), (100, "hundred"))
_ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth"} | {
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_SYMBOL_WORDS = {"&": " and ", "%": " percent ", "@": " at ", "+": " plus ", "=": " equals "}
_CURRENCIES = {"$": "dollars", "£": "pounds", "€": "euros"}
_ABBREVIATIONS = {"dr.": "doctor", "st.": "saint", "vs.": "versus", "etc.": "et cetera"}
_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ß": "ss", "ł": "l", "đ": "d", "ð": "th", "þ": "th", "ı": "i"}
    | dict.fromkeys("’‘ʼ`´", "'")
)

_MONEY = re.compile(r"([$£€])\s*(\d[\d,]*(?:\.\d+)?)")
_NUMBER = re.compile(r"(\d{1,3}(?:,\d{3})+(?!\d)|\d+)(\.\d+)?(?:(st|nd|rd|th|'?s)(?![a-z]))?")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*|\d")


def normalize_text(text: str) -> list[str]:
    """Words of a text as they are spoken, in lower case, with apostrophes only inside words.

    Numbers are read as cardinals, 1100 to 1999 as years. "1st", "3.5", "1990s", "$20" and "%" are expanded.
    Ambiguous forms such as 12/5 or 10:30 are read number by number.

    Raises:
        UserError: the text has a letter of another script.
    """
    folded = text.lower().translate(_LETTERS)
    folded = "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
    if strange := sorted({c for c in folded if c.isalpha() and not "a" <= c <= "z"}):
        raise UserError(f"{''.join(strange)[:20]!r} are not English letters")
    for short, long in _ABBREVIATIONS.items():
        folded = re.sub(rf"\b{re.escape(short)}(?!\w)", f"{long} ", folded)
    folded = _MONEY.sub(lambda found: f" {found[2]} {_CURRENCIES[found[1]]} ", folded)
    folded = _NUMBER.sub(lambda found: f" {_number_words(*found.groups())} ", folded)
    for sign, word in _SYMBOL_WORDS.items():
        folded = folded.replace(sign, word)
    return [_ONES[int(word)] if word.isdecimal() else word for word in _WORD.findall(folded)]


def _number_words(digits: str, fraction: str | None, ending: str | None) -> str:
    grouped, digits = "," in digits, digits.replace(",", "")
    if len(digits) > 12 or (digits[0] == "0" and len(digits) > 1):
        text = _one_by_one(digits)
    elif not grouped and len(digits) == 4 and "11" <= digits[:2] <= "19":
        text = _year(int(digits))
    else:
        text = _cardinal(int(digits))
    if fraction:
        text += f" point {_one_by_one(fraction[1:])}"
    head, _, last = text.rpartition(" ")
    if ending in ("s", "'s"):  # the 1990s
        last = last[:-1] + "ies" if last.endswith("y") else last + ("es" if last.endswith("x") else "s")
    elif ending:
        last = _ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return f"{head} {last}".strip()


def _one_by_one(digits: str) -> str:
    return " ".join(_ONES[int(digit)] for digit in digits)


def _year(number: int) -> str:
    """Words of a year from 1100 to 1999: 1905 is "nineteen oh five", 1900 "nineteen hundred"."""
    century, rest = divmod(number, 100)
    if not rest:
        return f"{_cardinal(century)} hundred"
    return f"{_cardinal(century)} {'oh ' * (rest < 10)}{_cardinal(rest)}"


def _cardinal(number: int) -> str:
    if number < 20:
        return _ONES[number]
    if number < 100:
        return " ".join([_TENS[number // 10], *[_ONES[number % 10]] * (number % 10 > 0)])
    size, name = next(scale for scale in _SCALES if number >= scale[0])
    count, rest = divmod(number, size)
    return f"{_cardinal(count)} {name}" + (f" {_cardinal(rest)}" if rest else "")
