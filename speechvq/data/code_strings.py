"""The code strings of a corpus with speakers and splits, and crops of them for training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from speechvq.data.codes_directory import CodesDirectory
from speechvq.data.manifest import read_manifest, utterance_names
from speechvq.data.sampler import ShuffledCrops, step_positions
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


class CodeCrops(NamedTuple):
    """A batch for a prior."""

    codes: Tensor  # (B, N), int64, zeros after a string's end
    prev_code: Tensor  # (B,), int64, the code before each crop; K at the start of the string
    speaker: Tensor  # (B,), int64
    length: Tensor  # (B,), int64, how many of the N codes belong to the string


class CodeSampler:
    """An endless shuffled sequence of crops of code strings; see `data.sampler.ShuffledCrops`."""

    def __init__(
        self, strings: Sequence[CodeString], speakers: Sequence[str], crop: int, num_codes: int, seed: int
    ) -> None:
        """
        Args:
            strings: the code strings.
            speakers: names in the order of the model's table; empty for a model without speakers.
            crop: N, codes.
            num_codes: K.
            seed: of orders and offsets.

        Raises:
            UserError: a speaker that is not in `speakers`.
        """
        self.crop, self.num_codes = crop, num_codes
        self.strings = [string.codes for string in strings]
        self.speakers = speaker_indices(strings, speakers)
        self.positions = ShuffledCrops(np.array([len(codes) for codes in self.strings], np.int64), crop, seed)

    def __len__(self) -> int:
        """Crops per epoch."""
        return len(self.positions)

    def batches(
        self, batch: int, *, step: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[CodeCrops]:
        """Endless batches from a training step on; arguments and errors as `data.sampler.step_positions`."""
        for positions in step_positions(batch, step=step, rank=rank, world_size=world_size):
            yield self._crops(positions)

    def _crops(self, positions: Sequence[int]) -> CodeCrops:
        codes = np.zeros((len(positions), self.crop), np.int64)
        prev_code, length, owners = np.empty((3, len(positions)), np.int64)
        for i, position in enumerate(positions):
            owners[i], start = self.positions[position]
            string = self.strings[owners[i]]
            part = string[start : start + self.crop]
            codes[i, : len(part)], length[i] = part, len(part)
            prev_code[i] = string[start - 1] if start else self.num_codes
        return CodeCrops(*map(torch.from_numpy, (codes, prev_code, self.speakers[owners], length)))


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
