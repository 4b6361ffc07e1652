"""The code strings of a corpus: whose they are, which are held out, and crops of them for training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from speechvq.data.codes_directory import CodesDirectory
from speechvq.data.manifest import read_manifest
from speechvq.data.splits import SplitRule, split_of
from speechvq.errors import UserError


@dataclass(frozen=True)
class CodeString:
    """The codes of one utterance."""

    utt: str
    speaker: str  # "" where nobody said
    split: str
    codes: np.ndarray  # (N,), uint16 or int32, N > 0


def read_strings(
    directory: CodesDirectory, manifest: str | Path | None, splits: Sequence[str]
) -> list[CodeString]:
    """The strings of some splits, in order of their names; those without a single code are left out.

    Args:
        directory: whose codes.
        manifest: who speaks and what is held out; what it does not list is left out. None: nobody is known,
            and 5 % each are dev and test, by their names.
        splits: for example train and dev.

    Raises:
        UserError: codes that are none; a manifest of other utterances; nothing in one of the splits.
    """
    known = (
        {u.utt: (u.speaker, u.split) for u in read_manifest(manifest)} if manifest else _by_name(directory)
    )
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
    before: Tensor  # (B,), int64, the code before each crop; K where it begins the string
    speaker: Tensor  # (B,), int64
    length: Tensor  # (B,), int64, how many of the N are the string's


class CodeWalk:
    """An endless shuffled walk through strings: crop number i is a function of i and the seed.

    An epoch cuts every string into as many crops as fit (at least one), shuffles them with the epoch's own
    seed and moves each by a random offset.
    """

    def __init__(
        self, strings: Sequence[CodeString], speakers: Sequence[str], crop: int, num_codes: int, seed: int
    ) -> None:
        """
        Args:
            strings: what is cut.
            speakers: names in the order of the model's table; empty for a model that is told no speaker.
            crop: N, codes.
            num_codes: K.
            seed: of the walk.

        Raises:
            UserError: a speaker that is not among `speakers`.
        """
        self.crop, self.num_codes, self.seed = crop, num_codes, seed
        self.strings = [string.codes for string in strings]
        self.speakers = speaker_numbers(strings, speakers)
        self.owner = np.repeat(
            np.arange(len(strings)), [max(len(string) // crop, 1) for string in self.strings]
        )
        self._order: tuple[int, np.ndarray] = (-1, self.owner)

    def __len__(self) -> int:
        """Crops an epoch."""
        return len(self.owner)

    def batches(
        self, batch: int, *, step: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[CodeCrops]:
        """Endless batches from a training step on.

        Args:
            batch: crops a step over all processes.
            step: first step; the batches are those an unbroken run would see from there.
            rank: number of this process.
            world_size: how many processes share a batch.

        Raises:
            UserError: the batch cannot be shared equally.
        """
        if batch % world_size:
            raise UserError(
                f"data.batch = {batch} cannot be shared by {world_size} processes; take a multiple"
            )
        share = batch // world_size
        while True:
            first = step * batch + rank * share
            yield self._crops(range(first, first + share))
            step += 1

    def _crops(self, numbers: Sequence[int]) -> CodeCrops:
        codes = np.zeros((len(numbers), self.crop), np.int64)
        before, length, owners = np.empty((3, len(numbers)), np.int64)
        for i, number in enumerate(numbers):
            owners[i] = self._owner(number)
            string = self.strings[owners[i]]
            spare = max(len(string) - self.crop, 0)
            start = int(np.random.default_rng((self.seed, 1, number)).integers(spare + 1))
            part = string[start : start + self.crop]
            codes[i, : len(part)], length[i] = part, len(part)
            before[i] = string[start - 1] if start else self.num_codes
        return CodeCrops(*map(torch.from_numpy, (codes, before, self.speakers[owners], length)))

    def _owner(self, number: int) -> int:
        epoch, place = divmod(number, len(self))
        if self._order[0] != epoch:
            self._order = (epoch, np.random.default_rng((self.seed, 0, epoch)).permutation(self.owner))
        return int(self._order[1][place])


def speaker_numbers(strings: Sequence[CodeString], speakers: Sequence[str]) -> np.ndarray:
    """Each string's place in a table of speakers, (strings,), int64; zeros where there is no table.

    Raises:
        UserError: a speaker that is not in it.
    """
    if not speakers:
        return np.zeros(len(strings), np.int64)
    strange = sorted({string.speaker for string in strings} - set(speakers))
    if strange:
        raise UserError(
            f"speakers unknown to the prior: {', '.join(map(repr, strange[:5]))}; a held-out speaker belongs "
            "into split 'unseen', or set model.speaker=0"
        )
    return np.array([speakers.index(string.speaker) for string in strings], np.int64)


def other_speakers(numbers: np.ndarray, count: int) -> np.ndarray:
    """Another's number for each of (M,) out of a table of `count`, two at least; half the table away."""
    return (numbers + max(count // 2, 1)) % count
