"""The frames of a corpus, and the ABX items in them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from speechvq.alignment.directory import AlignmentDirectory
from speechvq.data.codes_directory import CodesDirectory
from speechvq.data.features_directory import FeaturesDirectory
from speechvq.data.manifest import Utterance, utterance_names
from speechvq.errors import UserError
from speechvq.evaluate.alignment_lengths import AlignmentLengths
from speechvq.metrics.units.abx_items import Item, ItemKind, find_items
from speechvq.runtime.logging import logger
from speechvq.runtime.progress import progress

Frames = CodesDirectory | FeaturesDirectory


class Corpus(NamedTuple):
    """The frames and items that are compared, and what is left out."""

    frames: np.ndarray  # (M,) codes or (M, C) features of all utterances
    items: list[Item]  # with frame indices into `frames`
    utterances: list[Utterance]
    lengths: list[int]  # frames of each utterance
    missing: list[str]  # utterances of the manifest without frames or alignment
    dropped: int  # items shorter than a frame, or beyond the last frame


def read_corpus(
    source: Frames,
    asked: Sequence[Utterance],
    alignments: AlignmentDirectory,
    kind: ItemKind,
    *,
    shift: bool = False,
) -> Corpus:
    """Frames and items of every utterance that has both frames and an alignment.

    The other utterances are counted on stderr.

    Args:
        source: codes or features.
        asked: utterances to read.
        alignments: phones.
        kind: whether an item is a triphone or a phoneme.
        shift: whether the alignments are of the recordings before `prepare` trimmed them.

    Raises:
        UserError: no utterance has both, or a file cannot be read.
    """
    names = utterance_names(asked)
    source, alignments = source.named_as(names), alignments.named_as(names)
    found = [u for u in asked if u.utt in source.files and u.utt in alignments.places]
    if not found:
        raise UserError(
            f"{source.path}: no utterance of the manifest has both frames and an alignment; name files as "
            f"utterances are{f', for example {asked[0].utt}.npy' if asked else ''}"
        )
    both = {u.utt for u in found}
    missing = [u.utt for u in asked if u.utt not in both]
    if missing:
        logger.warning("no frames or no alignment for %d of %d utterances", len(missing), len(asked))
    if shift:
        alignments = alignments.shifted({u.utt: u.part for u in found})
    lengths = AlignmentLengths()
    frames: list[np.ndarray] = []
    items: list[Item] = []
    dropped = end = 0
    for utterance in progress(found, total=len(found), label="read", unit="utterances"):
        read = source.read(utterance.utt)
        if frames and read.shape[1:] != frames[0].shape[1:]:
            raise UserError(
                f"{source.files[utterance.utt]}: {read.shape[1]} columns, others {frames[0].shape[1]}"
            )
        phones = alignments.read(utterance.utt)
        start = 0.0 if shift else utterance.start
        lengths.add(phones, len(read) / source.frame_rate_hz, start=start)
        kept, lost = find_items(phones, utterance.speaker, len(read), source.frame_rate_hz, kind)
        items += [item._replace(first=item.first + end, end=item.end + end) for item in kept]
        frames.append(read)
        dropped, end = dropped + lost, end + len(read)
    lengths.warn(source.path)
    if isinstance(source, CodesDirectory):
        source.warn_if_deduplicated()
    return Corpus(np.concatenate(frames), items, found, [len(each) for each in frames], missing, dropped)
