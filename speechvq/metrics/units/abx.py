"""ABX discrimination error: is X closer to A, of the same phone, than to B, of another phone?

Schatz et al. (2013), with the settings of ZeroSpeech 2021; the definition is that of fastabx (Poli et al.
2025). A cell holds all triples of an ordered pair of phones, one context and one speaker of A and B (and one
speaker of X). Its error is the fraction of triples where X is closer to B; a tie counts one half. Errors are
averaged over contexts and speakers of X, then over speakers of A and B, then over pairs of phones. Chance is
50 %.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from speechvq.metrics.bootstrap import bootstrap_interval
from speechvq.metrics.dtw import count_wrong
from speechvq.metrics.units.abx_items import Item
from speechvq.metrics.units.frame_distance import FrameDistance

Speakers = Literal["within", "across"]
Context = Literal["within", "any"]
Groups = dict[tuple[str, ...], dict[str, dict[str, list[int]]]]  # item indices by context, phone and speaker

MAX_GROUP, MAX_ACROSS = 10, 5  # of ZeroSpeech 2021
MAX_DISTANCES = 1 << 20  # between frames at once; bounds the memory at 8 MiB


class AbxOptions(NamedTuple):
    """Which triples are formed."""

    speakers: Speakers  # "within": A, B and X by one speaker; "across": X by another speaker than A and B
    context: Context = "within"  # "within": A, B and X have the same neighboring phones; "any": no condition
    max_group: int | None = MAX_GROUP  # items per phone, context and speaker; None for all
    max_across: int | None = MAX_ACROSS  # speakers of X per speaker of A; None for all
    seed: int = 0  # of the choice of items and speakers, and of the bootstrap


class AbxScore(NamedTuple):
    """An ABX error with its confidence interval; NaN if there is no cell."""

    error: float  # fraction of triples, averaged as the module describes
    low: float  # 95 % interval, bootstrap over speakers
    high: float
    pairs: int  # ordered pairs of phones
    cells: int
    triples: int


class _Cell(NamedTuple):
    pair: tuple[str, str]
    speaker: str  # of A and B
    error: float
    triples: int


def abx_error(items: Sequence[Item], distance: FrameDistance, options: AbxOptions) -> AbxScore:
    """ABX error of codes or features.

    Args:
        items: their frames are numbered consecutively over all utterances.
        distance: between these frames.
        options: which triples are formed; the choice does not depend on the order of phones or speakers.
    """
    groups = _group_items(items, options)
    cells_of = _within_cells if options.speakers == "within" else _across_cells
    cells = list(cells_of(items, groups, distance, options))
    if not cells:
        return AbxScore(np.nan, np.nan, np.nan, 0, 0, 0)
    table = _error_table(cells)
    low, high = bootstrap_interval(
        lambda weights: _weighted_error(table, weights), table.shape[1], seed=options.seed
    )
    triples = sum(cell.triples for cell in cells)
    error = float(np.nanmean(table, axis=1).mean())
    return AbxScore(error, float(low), float(high), len(table), len(cells), triples)


def _group_items(items: Sequence[Item], options: AbxOptions) -> Groups:
    """Indices of items by context, phone and speaker; at most `max_group` each, chosen at random."""
    groups: Groups = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for i, item in enumerate(items):
        groups[item.context if options.context == "within" else ()][item.phone][item.speaker].append(i)
    rng = np.random.default_rng(options.seed)
    for context in sorted(groups):
        for phone in sorted(groups[context]):
            for speaker, indices in sorted(groups[context][phone].items()):
                if options.max_group is not None and len(indices) > options.max_group:
                    picks = rng.choice(len(indices), options.max_group, replace=False)
                    groups[context][phone][speaker] = [indices[k] for k in sorted(picks)]
    return groups


def _within_cells(
    items: Sequence[Item], groups: Groups, distance: FrameDistance, options: AbxOptions
) -> Iterator[_Cell]:
    """Cells with A, B and X by one speaker; each item is X in turn, and the others are A."""
    for phones in groups.values():
        for phone, speakers in phones.items():
            for speaker, same in speakers.items():
                others = {p: s[speaker] for p, s in phones.items() if p != phone and speaker in s}
                if len(same) < 2 or not others:
                    continue
                errors = _cell_errors(items, same, same, list(others.values()), distance)
                for other, error in zip(others, errors):
                    triples = len(same) * (len(same) - 1) * len(others[other])
                    yield _Cell((phone, other), speaker, float(error), triples)


def _across_cells(
    items: Sequence[Item], groups: Groups, distance: FrameDistance, options: AbxOptions
) -> Iterator[_Cell]:
    """Cells with A and B by one speaker, and X by another speaker."""
    rng = np.random.default_rng(options.seed)
    for context in sorted(groups):
        phones = groups[context]
        for phone in sorted(phones):
            for speaker, same in sorted(phones[phone].items()):
                others = {p: s[speaker] for p, s in phones.items() if p != phone and speaker in s}
                if not others:
                    continue
                x_speakers = sorted(set(phones[phone]) - {speaker})
                if options.max_across is not None and len(x_speakers) > options.max_across:
                    x_speakers = sorted(rng.choice(x_speakers, options.max_across, replace=False))
                for x_speaker in x_speakers:
                    x = phones[phone][x_speaker]
                    errors = _cell_errors(items, x, same, list(others.values()), distance)
                    for other, error in zip(others, errors):
                        triples = len(x) * len(same) * len(others[other])
                        yield _Cell((phone, other), speaker, float(error), triples)


def _cell_errors(
    items: Sequence[Item],
    xs: Sequence[int],
    same: Sequence[int],
    others: Sequence[Sequence[int]],
    distance: FrameDistance,
) -> np.ndarray:
    """Errors of the cells that share X and A.

    Args:
        items: all items.
        xs: indices of the items that are X.
        same: indices of the items that are A; an item is never A and X in one triple.
        others: indices of the items that are B, for each cell.
        distance: between frames.

    Returns:
        (len(others),).
    """
    compared = [*same, *(i for group in others for i in group)]
    columns, starts = _frames_of(items, compared)
    wrong, places = np.zeros(len(compared) - len(same)), {a: k for k, a in enumerate(same)}
    at_once = max(MAX_DISTANCES // (len(columns) * max(items[x].end - items[x].first for x in xs)), 1)
    for first in range(0, len(xs), at_once):
        part = xs[first : first + at_once]
        rows, row_starts = _frames_of(items, part)
        costs = distance(rows, columns)  # of several items at once: few calls
        not_a = np.array([places.get(x, -1) for x in part])
        count_wrong(costs, row_starts, starts, not_a, len(same), wrong)
    pairs = len(xs) * len(same) - len(set(xs) & set(same))
    sizes = np.array([len(group) for group in others])
    return np.add.reduceat(wrong, np.cumsum([0, *sizes[:-1]])) / (pairs * sizes)


def _frames_of(items: Sequence[Item], chosen: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Frames of some items, one after the other, (M',), and where each begins, and the end: (k + 1,)."""
    firsts, ends = np.array([items[i][3:5] for i in chosen], np.int64).T
    starts = np.concatenate([[0], np.cumsum(ends - firsts)])
    return np.arange(starts[-1]) + np.repeat(firsts - starts[:-1], ends - firsts), starts


def _error_table(cells: Sequence[_Cell]) -> np.ndarray:
    """Mean error by pair of phones and speaker, (pairs, S); NaN where a speaker has no cell of a pair."""
    pairs = {pair: i for i, pair in enumerate(sorted({cell.pair for cell in cells}))}
    speakers = {speaker: i for i, speaker in enumerate(sorted({cell.speaker for cell in cells}))}
    total, count = np.zeros((len(pairs), len(speakers))), np.zeros((len(pairs), len(speakers)))
    for cell in cells:
        place = pairs[cell.pair], speakers[cell.speaker]
        total[place] += cell.error
        count[place] += 1
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _weighted_error(table: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean error over pairs with weighted speakers: (pairs, S) and (b, S) to (b,)."""
    known = np.isfinite(table)
    sums, counts = weights @ np.where(known, table, 0).T, weights @ known.T
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return np.nanmean(means, axis=1)
