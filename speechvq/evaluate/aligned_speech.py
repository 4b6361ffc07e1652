"""Which utterances units are fitted on, and which they are scored on."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechvq.alignment.directory import AlignmentDirectory
from speechvq.alignment.intervals import Interval
from speechvq.audio.waveform import read_waveform
from speechvq.data.manifest import Utterance, utterance_names
from speechvq.errors import UserError
from speechvq.evaluate.alignment_lengths import AlignmentLengths
from speechvq.runtime.logging import logger
from speechvq.runtime.progress import progress

_MAX_NAMES = 5  # in a message


class AlignedSpeech(NamedTuple):
    """The utterances of a split that have a phone alignment."""

    utterances: list[Utterance]
    phones: list[list[Interval]]  # of each utterance
    missing: list[str]  # utterances of the split without an alignment


def training_utterances(utterances: Sequence[Utterance], seconds: float) -> list[Utterance]:
    """Utterances of split train, drawn with a fixed seed until they last `seconds`, or all.

    Raises:
        UserError: there is no such split.
    """
    train = [u for u in utterances if u.split == "train"]
    if not train:
        raise UserError("the manifest has no split train to fit units on; prepare the corpus with one")
    drawn = [train[i] for i in np.random.default_rng(0).permutation(len(train))]
    starts = np.cumsum([0.0, *(u.seconds for u in drawn[:-1])])
    return [u for u, start in zip(drawn, starts) if start < seconds]


def aligned_speech(
    utterances: Sequence[Utterance],
    split: str,
    alignments: AlignmentDirectory,
    *,
    where: Path,
    shift: bool = False,
) -> AlignedSpeech:
    """The aligned utterances of a split; names on stderr the utterances without an alignment.

    Args:
        utterances: of the manifest.
        split: for example "test".
        alignments: of any utterances.
        where: the manifest, for messages.
        shift: whether the alignments are of the recordings before `prepare` trimmed them.

    Raises:
        UserError: the split is empty, none of it is aligned, or an alignment cannot be read.
    """
    chosen = [u for u in utterances if u.split == split]
    if not chosen:
        splits = ", ".join(sorted({u.split for u in utterances}))
        raise UserError(f"{where}: no utterances in split '{split}'; there are {splits}")
    alignments = alignments.named_as(utterance_names(utterances))
    aligned = [u for u in chosen if u.utt in alignments.places]
    if not aligned:
        raise UserError(
            f"{alignments.path}: no alignment of the {len(chosen)} utterances in split '{split}'; "
            f"name each as its utterance, for example {chosen[0].utt}.lab"
        )
    missing = [u.utt for u in chosen if u.utt not in alignments.places]
    if missing:
        more = ", ..." if len(missing) > _MAX_NAMES else ""
        names = ", ".join(missing[:_MAX_NAMES])
        logger.warning("no alignment of %d of %d utterances: %s%s", len(missing), len(chosen), names, more)
    if shift:
        alignments = alignments.shifted({u.utt: u.part for u in aligned})
    phones, lengths = [alignments.read(u.utt) for u in aligned], AlignmentLengths()
    for utterance, intervals in zip(aligned, phones):
        if utterance.seconds:
            start = 0.0 if shift else utterance.start
            lengths.add(intervals, utterance.seconds, start=start)
    lengths.warn(alignments.path)
    return AlignedSpeech(aligned, phones, missing)


def read_waveforms(utterances: Sequence[Utterance], *, label: str) -> Iterator[np.ndarray]:
    """The waveform of each utterance, (T,) at 16 kHz, with a progress bar named `label`."""
    for utterance in progress(utterances, total=len(utterances), label=label, unit="utterances"):
        yield read_waveform(utterance.path)
