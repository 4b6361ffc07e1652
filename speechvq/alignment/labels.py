"""Phone labels in one notation: without stress digits and word positions, and with one name for silence.

Aligners label one phone in several ways: MFA and CMUdict add the stress of a vowel (AH0, AH1, AH2), Kaldi the
position in the word (AH_B, AH_I, AH_E, AH_S), and silence is sil, sp, SIL or the empty label. Metrics that
count labels as phones would depend on these habits.
"""

import re
from collections.abc import Iterable

from speechvq.alignment.intervals import Interval
from speechvq.alignment.phones import SILENCE, VOWELS, is_silence

_POSITION = re.compile(r"(.+)_[BIES]")
_STRESS = re.compile(rf"({'|'.join(VOWELS)}|AX)[012]", re.IGNORECASE)


def merge_label(label: str) -> str:
    """The phone of a label: AH for AH0, AH_B and AH1_E; SIL for every name of silence; others unchanged.

    A digit is removed from the vowels of ARPABET only, because elsewhere it may be a tone.
    """
    if is_silence(label):
        return SILENCE
    if position := _POSITION.fullmatch(label):
        label = position[1]
    if stress := _STRESS.fullmatch(label):
        label = stress[1]
    return SILENCE if is_silence(label) else label


class LabelMerger:
    """Merges the labels of alignments, and knows which it merged."""

    def __init__(self) -> None:
        self._phones: dict[str, str] = {}  # phone of every label seen

    def merge(self, intervals: Iterable[Interval]) -> list[Interval]:
        """The same intervals with merged labels."""
        merged = []
        for each in intervals:
            phone = self._phones.get(each.phone)
            if phone is None:
                phone = self._phones.setdefault(each.phone, merge_label(each.phone))
            merged.append(each if phone == each.phone else Interval(each.start, each.end, phone))
        return merged

    @property
    def seen(self) -> tuple[str, ...]:
        """The labels that were merged, each once."""
        return tuple(self._phones)

    def add_seen(self, labels: Iterable[str]) -> None:
        """Count the labels that another process has merged."""
        for label in labels:
            self._phones.setdefault(label, merge_label(label))

    @property
    def count(self) -> int:
        """How many labels fewer there are after merging."""
        return len(self._phones) - len(set(self._phones.values()))

    def describe(self) -> str:
        """A line about the merged labels, with an example; empty if no two labels were merged."""
        if not self.count:
            return ""
        groups: dict[str, list[str]] = {}
        for label, phone in self._phones.items():
            groups.setdefault(phone, []).append(label or '""')
        phone, labels = max(groups.items(), key=lambda group: len(group[1]))
        return (
            f"labels merged: {len(self._phones)} to {len(groups)} phones, for example "
            f"{', '.join(sorted(labels)[:4])} to {phone}; --keep-labels keeps them apart"
        )
