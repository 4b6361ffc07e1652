"""Which speech units are fitted on, and which they are scored on."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechvq.alignment.directory import AlignmentDirectory
from speechvq.alignment.intervals import Interval
from speechvq.audio.waveform import read_waveform
from speechvq.data.manifest import Utterance
from speechvq.errors import UserError
from speechvq.runtime.progress import progress

_SHOWN = 5  # names in a message


class AlignedSpeech(NamedTuple):
    """The utterances of a split whose phones are known."""

    utterances: list[Utterance]
    phones: list[list[Interval]]  # of each
    missing: list[str]  # utterances of the split that have no alignment


def training_utterances(utterances: Sequence[Utterance], seconds: float) -> list[Utterance]:
    """Utterances of the split train, drawn by a fixed seed until they are `seconds` long, or all.

    Raises:
        UserError: there is no such split.
    """
    train = [u for u in utterances if u.split == "train"]
    if not train:
        raise UserError("the manifest has no split train to fit units on; prepare the corpus with one")
    drawn = [train[i] for i in np.random.default_rng(0).permutation(len(train))]
    before = np.cumsum([0.0, *(u.seconds for u in drawn[:-1])])
    return [u for u, start in zip(drawn, before) if start < seconds]


def aligned_speech(
    utterances: Sequence[Utterance], split: str, alignments: AlignmentDirectory, *, where: Path
) -> AlignedSpeech:
    """The aligned utterances of a split; names on stderr those that have no alignment.

    Args:
        utterances: of the manifest.
        split: for example test.
        alignments: of any utterances.
        where: the manifest, for messages.

    Raises:
        UserError: nothing in the split, nothing of it aligned, or an alignment cannot be read.
    """
    chosen = [u for u in utterances if u.split == split]
    if not chosen:
        there = ", ".join(sorted({u.split for u in utterances}))
        raise UserError(f"{where}: no utterances in split '{split}'; there are {there}")
    known = [u for u in chosen if u.utt in alignments.places]
    if not known:
        raise UserError(
            f"{alignments.path}: no alignment of the {len(chosen)} utterances in split '{split}'; "
            f"name each as its utterance, for example {chosen[0].utt}.lab"
        )
    missing = [u.utt for u in chosen if u.utt not in alignments.places]
    if missing:
        more = ", ..." if len(missing) > _SHOWN else ""
        names = ", ".join(missing[:_SHOWN])
        print(f"no alignment of {len(missing)} of {len(chosen)} utterances: {names}{more}", file=sys.stderr)
    return AlignedSpeech(known, [alignments.read(u.utt) for u in known], missing)


def read_waveforms(utterances: Sequence[Utterance], *, label: str) -> Iterator[np.ndarray]:
    """Their samples, (T,) each at 16 kHz, one by one."""
    for utterance in progress(utterances, total=len(utterances), label=label, unit="utterances"):
        yield read_waveform(utterance.path)
