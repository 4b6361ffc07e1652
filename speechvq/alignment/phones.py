"""The 39 phones of CMUdict without stress (ARPABET), silence, and eSpeak NG's names for them.

A phone is a category, as in CMUdict: the vowel of "bottle" is AA in every accent. Accent counts as a property
of the speaker.
"""

SILENCE = "SIL"
# Labels of silence in MFA ("sil", "sp", the empty label), MAUS, TIMIT, Festival and eSpeak NG. Noise, such as
# MFA's "spn", does not count as silence.
SILENT_LABELS = frozenset({"", "sil", "sp", "<sil>", "<p:>", "<p>", "h#", "pau", "_", "#", "[silence]"})
VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
STOPS = ("B", "CH", "D", "G", "JH", "K", "P", "T")  # and affricates: phones that begin with a closure
CONTINUANTS = ("DH", "F", "HH", "L", "M", "N", "NG", "R", "S", "SH", "TH", "V", "W", "Y", "Z", "ZH")
PHONES = tuple(sorted(VOWELS + STOPS + CONTINUANTS)) + (SILENCE,)

# All phones of eSpeak NG's English tables (phsource/ph_english*) by category.
ESPEAK_NAMES = {
    "AA": "A: A@ A# 0 02 0# A~",
    "AE": "a aa a/ a2",
    "AH": "@ @2 @5 @# @- V a# a#2 e#",
    "AO": "O O: O@ O2 o@ o: O~",
    "AW": "aU aU@",
    "AY": "aI aI2 aI@ aI3",
    "EH": "E E# E2 e@ e:",
    "ER": "3 3: IR VR",  # also in non-rhotic accents
    "EY": "eI",
    "IH": "I I2 I# I2# i@ i@3",
    "IY": "i i:",
    "OW": "oU oU#",
    "OY": "OI",
    "UH": "U U@",
    "UW": "u:",
    "B": "b",
    "CH": "tS",
    "D": "d d#",
    "G": "g",
    "JH": "dZ",
    "K": "k c x",  # x: Scottish "loch"
    "P": "p",
    "T": "t t# t2 t[ ?",  # including a flap, a dental and a glottal stop
    "DH": "D",
    "F": "f",
    "HH": "h",
    "L": "l l/ l/2 l/3 @L",
    "M": "m m-",
    "N": "n n-",
    "NG": "N N-",
    "R": "r r- r/",
    "S": "s",
    "SH": "S",
    "TH": "T",
    "V": "v",
    "W": "w w#",
    "Y": "j ;",  # ; is the glide of "the old"
    "Z": "z z# z/2",
    "ZH": "Z",
    SILENCE: "_ _: _:: _! _| _;_ _^_ ||",
}
_CATEGORY = {name: phone for phone, names in ESPEAK_NAMES.items() for name in names.split()}
_STRESS_MARKS = "',%="


def is_silence(phone: str) -> bool:
    """Whether a label of any of the known alignment formats means silence."""
    return phone.strip().lower() in SILENT_LABELS


def arpabet(mnemonic: str) -> str:
    """ARPABET category of an English phone of eSpeak NG, with or without stress marks: "'eI" is "EY".

    Raises:
        ValueError: the name is not known.
    """
    name = mnemonic.lstrip(_STRESS_MARKS)
    if name not in _CATEGORY:
        raise ValueError(f"no ARPABET phone is known for eSpeak NG's {mnemonic!r}")
    return _CATEGORY[name]
