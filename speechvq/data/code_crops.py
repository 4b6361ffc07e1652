"""Crops of code strings for the training of a prior."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from speechvq.data.code_strings import CodeString, speaker_indices
from speechvq.data.sampler import ShuffledCrops, step_positions


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
