"""The frames of a corpus, and the stretches of them that an ABX test compares."""

import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from speechvq.alignment.directory import AlignmentDirectory
from speechvq.data.codes_directory import CodesDirectory
from speechvq.data.features_directory import FeaturesDirectory
from speechvq.data.manifest import Utterance
from speechvq.errors import UserError
from speechvq.metrics.units.abx_items import Item, ItemKind, find_items
from speechvq.runtime.progress import progress

Frames = CodesDirectory | FeaturesDirectory


class Corpus(NamedTuple):
    """What is compared, and what could not be."""

    frames: np.ndarray  # (M,) codes or (M, C) features of all utterances
    items: list[Item]  # their frames are numbered over all utterances
    utterances: list[Utterance]
    lengths: list[int]  # frames of each
    missing: list[str]  # utterances of the manifest without frames or alignment
    dropped: int  # items shorter than a frame, or beyond the last


def read_corpus(
    source: Frames, asked: Sequence[Utterance], alignments: AlignmentDirectory, kind: ItemKind
) -> Corpus:
    """Frames and items of every utterance that has both; the others are counted on stderr.

    Raises:
        UserError: no utterance has both, or a file cannot be read.
    """
    there = [u for u in asked if u.utt in source.files and u.utt in alignments.places]
    if not there:
        raise UserError(
            f"{source.path}: no utterance of the manifest has both frames and an alignment; name files as "
            f"utterances are{f', for example {asked[0].utt}.npy' if asked else ''}"
        )
    found = set(there)
    missing = [u.utt for u in asked if u not in found]
    if missing:
        print(f"no frames or no alignment for {len(missing)} of {len(asked)} utterances", file=sys.stderr)
    frames: list[np.ndarray] = []
    items: list[Item] = []
    dropped = end = 0
    for utterance in progress(there, total=len(there), label="read", unit="utterances"):
        read = source.read(utterance.utt)
        if frames and read.shape[1:] != frames[0].shape[1:]:
            raise UserError(
                f"{source.files[utterance.utt]}: {read.shape[1]} columns, others {frames[0].shape[1]}"
            )
        phones = alignments.read(utterance.utt)
        spoken, lost = find_items(phones, utterance.speaker, len(read), source.frame_rate_hz, kind)
        items += [item._replace(first=item.first + end, end=item.end + end) for item in spoken]
        frames.append(read)
        dropped, end = dropped + lost, end + len(read)
    return Corpus(np.concatenate(frames), items, there, [len(each) for each in frames], missing, dropped)
