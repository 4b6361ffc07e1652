"""Order and colours of phones by how they are spoken, so that phones alike stand together and look alike."""

from collections.abc import Sequence

import numpy as np

from speechvq.alignment.phones import CONTINUANTS, STOPS, VOWELS, is_silence

NASALS, GLIDES = ("M", "N", "NG"), ("HH", "L", "R", "W", "Y")
FRICATIVES = tuple(phone for phone in CONTINUANTS if phone not in NASALS + GLIDES)
_HUES = {  # red, yellow, green, blue and violet
    VOWELS: (0.02, 0.13),
    GLIDES: (0.16, 0.22),
    NASALS: (0.32, 0.42),
    FRICATIVES: (0.5, 0.62),
    STOPS: (0.7, 0.84),
}
_SILENT = (0.91, 0.92, 0.94)


def order_by_manner(phones: Sequence[str], counts: np.ndarray) -> list[int]:
    """Indices of phones in the order of a table: silence, vowels, glides, nasals, fricatives, stops.

    Args:
        phones: P names; ARPABET is known, with stress or without. Others follow, the most frequent first.
        counts: (P,), how often each occurs.
    """
    known = [phone for group in _HUES for phone in group]

    def key(index: int) -> tuple[int, int, float]:
        name = _category(phones[index])
        if is_silence(phones[index]):
            return 0, 0, 0.0
        return (1, known.index(name), 0.0) if name in known else (2, 0, -float(counts[index]))

    return sorted(range(len(phones)), key=key)


def phone_colors(phones: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """A pale colour for each phone, RGB in [0, 1]: a hue for each manner, grey for silence."""
    from matplotlib.colors import hsv_to_rgb

    colours = {}
    for i, phone in enumerate(phones):
        group = next((each for each in _HUES if _category(phone) in each), None)
        if is_silence(phone):
            colours[phone] = _SILENT
            continue
        if group is None:
            hue = i * 0.6180339887 % 1.0
        else:
            low, high = _HUES[group]
            hue = low + (high - low) * group.index(_category(phone)) / (len(group) - 1)
        colours[phone] = tuple(hsv_to_rgb((hue, 0.42 if i % 2 else 0.55, 0.97)).tolist())
    return colours


def _category(phone: str) -> str:
    return phone.upper().rstrip("012")
