"""Order and colors of phones by manner of articulation, so that similar phones are adjacent."""

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
_SILENCE = (0.91, 0.92, 0.94)


def order_by_manner(phones: Sequence[str], counts: np.ndarray) -> list[int]:
    """Indices of phones in plotting order: silence, vowels, glides, nasals, fricatives, stops, others.

    Args:
        phones: P names. ARPABET is recognized, with or without stress; others are sorted by frequency.
        counts: (P,), occurrences.
    """
    order = [phone for group in _HUES for phone in group]

    def key(index: int) -> tuple[int, int, float]:
        name = _category(phones[index])
        if is_silence(phones[index]):
            return 0, 0, 0.0
        return (1, order.index(name), 0.0) if name in order else (2, 0, -float(counts[index]))

    return sorted(range(len(phones)), key=key)


def phone_colors(phones: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """A pale color for each phone, RGB in [0, 1]: hues by manner of articulation, gray for silence."""
    from matplotlib.colors import hsv_to_rgb

    colors = {}
    for i, phone in enumerate(phones):
        group = next((each for each in _HUES if _category(phone) in each), None)
        if is_silence(phone):
            colors[phone] = _SILENCE
            continue
        if group is None:
            hue = i * 0.6180339887 % 1.0
        else:
            low, high = _HUES[group]
            hue = low + (high - low) * group.index(_category(phone)) / (len(group) - 1)
        colors[phone] = tuple(hsv_to_rgb((hue, 0.42 if i % 2 else 0.55, 0.97)).tolist())
    return colors


def _category(phone: str) -> str:
    """The phone without its stress digit, in upper case."""
    return phone.upper().rstrip("012")
