"""ABX: is X nearer to A, of its own phone, than to B of another? (Schatz et al. 2013; ZeroSpeech 2021.)

The definition is fastabx's (Poli et al. 2025). A cell is all triples of two phones with one context and
speaker; its error is the share of triples where X is nearer to B, a tie counting half. Errors are averaged
over contexts (and over the speakers of X), then over speakers, then over pairs of phones. Chance is 50 %.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from speechvq.metrics.dtw import dtw_distances
from speechvq.metrics.frame_distance import FrameDistance
from speechvq.metrics.units.abx_items import Item

Speakers = Literal["within", "across"]
Context = Literal["within", "any"]

MAX_GROUP, MAX_ACROSS = 10, 5  # of ZeroSpeech 2021
NUM_RESAMPLES = 1000


class AbxOptions(NamedTuple):
    """Which triples are formed."""

    speakers: Speakers  # "within": all three by one speaker; "across": X by another than A and B
    context: Context = "within"  # "within": all three have the same neighbours; "any": they need not
    max_group: int | None = MAX_GROUP  # items of one phone, context and speaker; None for all
    max_across: int | None = MAX_ACROSS  # speakers of X for each A; None for all
    seed: int = 0  # of which are drawn


class AbxScore(NamedTuple):
    """An error and what it was made of; NaN where there was no cell."""

    error: float
    low: float  # of the interval of 95 %, by the bootstrap over speakers
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
    """Score units or features by ABX.

    Args:
        items: their frames are numbered over all utterances.
        distance: between those frames.
        rule: which triples are formed; what is drawn does not depend on the order of phones or speakers.
    """
    groups = _groups(items, options)
    cells = list((_within if options.speakers == "within" else _across)(items, groups, distance, options))
    if not cells:
        return AbxScore(np.nan, np.nan, np.nan, 0, 0, 0)
    table = _table(cells)
    low, high = _interval(table, options.seed)
    triples = sum(cell.triples for cell in cells)
    return AbxScore(float(np.nanmean(table, axis=1).mean()), low, high, len(table), len(cells), triples)


Groups = dict[tuple[str, ...], dict[str, dict[str, list[int]]]]  # items by context, phone and speaker


def _groups(items: Sequence[Item], rule: AbxOptions) -> Groups:
    """Indices of items by context, phone and speaker; at most `max_group`, drawn by the seed."""
    groups: Groups = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for i, item in enumerate(items):
        groups[item.context if rule.context == "within" else ()][item.phone][item.speaker].append(i)
    rng = np.random.default_rng(rule.seed)
    for context in sorted(groups):
        for phone in sorted(groups[context]):
            for speaker, found in sorted(groups[context][phone].items()):
                if rule.max_group is not None and len(found) > rule.max_group:
                    picks = rng.choice(len(found), rule.max_group, replace=False)
                    groups[context][phone][speaker] = [found[k] for k in sorted(picks)]
    return groups


def _within(
    items: Sequence[Item], groups: Groups, distance: FrameDistance, rule: AbxOptions
) -> Iterator[_Cell]:
    """All three by one speaker: X is every item of A in turn, and A the others."""
    for phones in groups.values():
        for phone, speakers in phones.items():
            for speaker, own in speakers.items():
                others = {p: s[speaker] for p, s in phones.items() if p != phone and speaker in s}
                if len(own) < 2 or not others:
                    continue
                errors = _errors(items, own, own, list(others.values()), distance)
                for other, error in zip(others, errors):
                    triples = len(own) * (len(own) - 1) * len(others[other])
                    yield _Cell((phone, other), speaker, float(error), triples)


def _across(
    items: Sequence[Item], groups: Groups, distance: FrameDistance, rule: AbxOptions
) -> Iterator[_Cell]:
    """A and B by one speaker, X by another."""
    rng = np.random.default_rng(rule.seed)
    for context in sorted(groups):
        phones = groups[context]
        for phone in sorted(phones):
            for speaker, own in sorted(phones[phone].items()):
                others = {p: s[speaker] for p, s in phones.items() if p != phone and speaker in s}
                if not others:
                    continue
                strangers = sorted(set(phones[phone]) - {speaker})
                if rule.max_across is not None and len(strangers) > rule.max_across:
                    strangers = sorted(rng.choice(strangers, rule.max_across, replace=False))
                for stranger in strangers:
                    x = phones[phone][stranger]
                    errors = _errors(items, x, own, list(others.values()), distance)
                    for other, error in zip(others, errors):
                        triples = len(x) * len(own) * len(others[other])
                        yield _Cell((phone, other), speaker, float(error), triples)


def _errors(
    items: Sequence[Item],
    xs: Sequence[int],
    own: Sequence[int],
    others: Sequence[Sequence[int]],
    distance: FrameDistance,
) -> np.ndarray:
    """Error of the cells of one X and A with several B: indices of items to (len(others),)."""
    targets = [*own, *(i for group in others for i in group)]
    frames = np.concatenate([np.arange(items[i].first, items[i].end) for i in targets])
    starts = np.cumsum([0, *(items[i].end - items[i].first for i in targets)])
    wrong = np.zeros(len(targets) - len(own))
    for x in xs:
        found = dtw_distances(distance(items[x].first, items[x].end, frames), starts)
        to_a = np.array([found[k] for k, a in enumerate(own) if a != x])[:, None]
        to_b = found[len(own) :]
        wrong += (to_b < to_a).sum(0) + 0.5 * (to_b == to_a).sum(0)
    pairs = len(xs) * len(own) - len(set(xs) & set(own))
    sizes = np.array([len(group) for group in others])
    return np.add.reduceat(wrong, np.cumsum([0, *sizes[:-1]])) / (pairs * sizes)


def _table(cells: Sequence[_Cell]) -> np.ndarray:
    """Mean error by pair of phones and speaker, (pairs, S); NaN where they do not meet."""
    pairs = {pair: i for i, pair in enumerate(sorted({cell.pair for cell in cells}))}
    speakers = {speaker: i for i, speaker in enumerate(sorted({cell.speaker for cell in cells}))}
    total, count = np.zeros((len(pairs), len(speakers))), np.zeros((len(pairs), len(speakers)))
    for cell in cells:
        place = pairs[cell.pair], speakers[cell.speaker]
        total[place] += cell.error
        count[place] += 1
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _interval(table: np.ndarray, seed: int) -> tuple[float, float]:
    """Interval of 95 % of the mean over pairs when speakers are drawn with replacement."""
    pairs, speakers = table.shape
    drawn = np.random.default_rng(seed).multinomial(speakers, np.full(speakers, 1 / speakers), NUM_RESAMPLES)
    known = np.isfinite(table)
    sums, counts = drawn @ np.where(known, table, 0).T, drawn @ known.T
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    low, high = np.percentile(np.nanmean(means, axis=1), [2.5, 97.5])
    return float(low), float(high)
