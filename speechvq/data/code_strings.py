"""The code strings of a corpus, with speakers and splits."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechvq.data.codes_directory import CodesDirectory
from speechvq.data.manifest import read_manifest, utterance_names
from speechvq.data.splits import SplitRule, split_of
from speechvq.errors import UserError


@dataclass(frozen=True)
class CodeString:
    """The codes of one utterance."""

    utt: str
    speaker: str  # "" if unknown
    split: str
    codes: np.ndarray  # (N,), uint16 or int32, N > 0


def read_strings(
    directory: CodesDirectory, manifest: str | Path | None, splits: Sequence[str]
) -> list[CodeString]:
    """The code strings of some splits, sorted by utterance; empty strings are left out.

    Args:
        directory: the codes.
        manifest: speakers and splits; utterances that it does not list are left out. None: speakers are
            unknown, and 5 % each are dev and test, chosen by a hash of the name.
        splits: for example train and dev.

    Raises:
        UserError: damaged codes; a manifest of other utterances; a split without codes.
    """
    if manifest:
        utterances = read_manifest(manifest)
        directory = directory.named_as(utterance_names(utterances))
        known = {u.utt: (u.speaker, u.split) for u in utterances}
    else:
        known = _by_name(directory)
    compact = np.uint16 if directory.num_codes <= 1 << 16 else np.int32
    strings = []
    for utt in sorted(directory.files.keys() & known.keys()):
        speaker, split = known[utt]
        if split in splits and len(codes := directory.read(utt)):
            strings.append(CodeString(utt, speaker, split, codes.astype(compact)))
    for split in splits:
        if not any(string.split == split for string in strings):
            where = f"{manifest} and {directory.path}" if manifest else f"{directory.path}"
            raise UserError(f"{where}: no codes of split '{split}'; encode the whole corpus, without --split")
    return strings


def _by_name(directory: CodesDirectory) -> dict[str, tuple[str, str]]:
    splits = split_of(dict.fromkeys(directory.files, ""), SplitRule())
    return {utt: ("", split) for utt, split in splits.items()}


def speaker_indices(strings: Sequence[CodeString], speakers: Sequence[str]) -> np.ndarray:
    """Each string's index in a table of speakers, (strings,), int64; zeros without a table.

    Raises:
        UserError: a speaker that is not in the table.
    """
    if not speakers:
        return np.zeros(len(strings), np.int64)
    unknown = sorted({string.speaker for string in strings} - set(speakers))
    if unknown:
        raise UserError(
            f"speakers unknown to the prior: {', '.join(map(repr, unknown[:5]))}; a held-out speaker belongs "
            "into split 'unseen', or set model.speaker_dim=0"
        )
    return np.array([speakers.index(string.speaker) for string in strings], np.int64)


def mismatched_speakers(indices: np.ndarray, count: int) -> np.ndarray:
    """A different speaker for each of (M,) indices: half of the table of `count` >= 2 speakers away."""
    return (indices + max(count // 2, 1)) % count
