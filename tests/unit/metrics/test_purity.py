"""Purity scores of perfect and random codes; they equal loops and scikit-learn, in any order."""

import time
from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.metrics import homogeneity_score

from helpers import reference
from speechvq.alignment.intervals import Interval, phones_at_frames
from speechvq.metrics.units.purity import PROTOCOLS, LabeledCodes, score_purity, speaker_halves

RATE = 50.0
NAMES = ("SIL", "AA", "B", "S", "T")
KEYS = (
    "frames dropped_frames num_phones majority_prior phone_purity phone_purity_heldout cluster_purity pnmi "
    "shuffled_phone_purity shuffled_pnmi active_codes perplexity bitrate_entropy bitrate_max"
).split()


def random_phones(seed: int, *, seconds: float = 4.0) -> list[Interval]:
    """Phones of odd durations, T most often, with silence at both edges, and gaps."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.01, 0.3, size=40))
    times = [0.0, *times[times < seconds - 0.5].tolist()]
    drawn = [
        Interval(a, b - 0.01 * (rng.random() < 0.1), NAMES[min(rng.integers(7), 4)])
        for a, b in zip(times, times[1:])
    ]
    edges = Interval(0.0, drawn[0].end, "SIL"), Interval(times[-1], seconds - 0.1, "SIL")
    return [edges[0], *drawn[1:], edges[1]]


def corpus(count: int = 12, num_codes: int = 9) -> list[LabeledCodes]:
    """Codes that depend on the phone in half of the frames."""
    rng = np.random.default_rng(0)
    made = []
    for i in range(count):
        intervals = random_phones(i)
        phones = phones_at_frames(intervals, 200, RATE)
        codes = [NAMES.index(p) if p and rng.random() < 0.5 else rng.integers(num_codes) for p in phones]
        made.append(LabeledCodes(np.array(codes), intervals, f"speaker {i % 4}"))
    return made


def pairs_by_hand(each: LabeledCodes, protocol: str) -> list[tuple[str, int]]:
    """Frames of a protocol, one by one."""
    found = []
    speech = [i for i in each.intervals if i.phone != "SIL"]
    for n, code in enumerate(each.codes):
        center = (n + 0.5) / RATE
        for interval in each.intervals:
            if interval.start <= center < interval.end and (
                protocol == "all" or speech and speech[0].start <= center < speech[-1].end
            ):
                found.append((interval.phone, int(code)))
    return found


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scores_equal_loops_and_scikit_learn(protocol: str) -> None:
    units = corpus()
    score = score_purity(units, 9, RATE)[protocol]
    pairs = [pair for each in units for pair in pairs_by_hand(each, protocol)]
    phones, codes = [phone for phone, _ in pairs], [code for _, code in pairs]
    assert score.metrics["frames"] == len(pairs)
    assert score.metrics["dropped_frames"] == 12 * 200 - len(pairs) > 0
    assert (score.metrics["num_phones"], score.metrics["active_codes"]) == (5, 9)
    for name, value in reference.phone_scores(phones, codes).items():
        assert score.metrics[name] == pytest.approx(value, abs=1e-9)
    assert score.metrics["pnmi"] == pytest.approx(homogeneity_score(phones, codes), abs=1e-12)
    halves = [[p for u in units if speaker(u) % 2 == h for p in pairs_by_hand(u, protocol)] for h in (0, 1)]
    right = sum(reference.held_out_purity(halves[i], halves[1 - i]) for i in (0, 1))
    assert score.metrics["phone_purity_heldout"] == pytest.approx(right / len(pairs), abs=1e-12)
    assert score.phones == tuple(sorted(NAMES)) and score.table.shape == (5, 9)
    assert score.table[1, 3] == pairs.count(("B", 3))


def speaker(units: LabeledCodes) -> int:
    return int(units.speaker[-1])


def test_the_keys_are_pinned() -> None:
    scores = score_purity(corpus(), 9, RATE)
    assert list(scores) == ["all", "edges_trimmed"]
    for score in scores.values():
        assert list(score.metrics) == KEYS
        assert all(type(value) in (int, float) for value in score.metrics.values())
        assert list(score.intervals) == [
            "majority_prior",
            "phone_purity",
            "phone_purity_heldout",
            "cluster_purity",
            "pnmi",
            "perplexity",
            "bitrate_entropy",
        ]
        for name, (low, high) in score.intervals.items():
            assert low < score.metrics[name] < high


def test_perfect_codes_score_one() -> None:
    units = [
        each._replace(
            codes=np.array([NAMES.index(p or "SIL") for p in phones_at_frames(each.intervals, 200, RATE)])
        )
        for each in corpus()
    ]
    for score in score_purity(units, 5, RATE).values():
        for name in ("phone_purity", "phone_purity_heldout", "cluster_purity", "pnmi"):
            assert score.metrics[name] == pytest.approx(1, abs=1e-12)
        assert score.metrics["shuffled_pnmi"] < 0.05 and score.metrics["shuffled_phone_purity"] < 0.6


def test_constant_and_random_codes_score_the_prior() -> None:
    rng = np.random.default_rng(0)
    long = [each._replace(codes=rng.integers(4, size=200)) for each in corpus(200)]
    for score in score_purity(long, 4, RATE, num_resamples=5).values():
        metrics = score.metrics
        assert metrics["phone_purity"] == pytest.approx(metrics["majority_prior"], abs=0.003)
        assert metrics["phone_purity_heldout"] == pytest.approx(metrics["majority_prior"], abs=0.003)
        assert metrics["pnmi"] == pytest.approx(metrics["shuffled_pnmi"], abs=0.001)
        assert metrics["pnmi"] == pytest.approx(0, abs=0.001)
    same = [each._replace(codes=np.zeros(200, int)) for each in corpus()]
    metrics = score_purity(same, 4, RATE)["all"].metrics
    assert metrics["phone_purity"] == metrics["majority_prior"] == metrics["shuffled_phone_purity"]
    assert (metrics["pnmi"], metrics["perplexity"], metrics["bitrate_entropy"]) == (0, 1, 0)
    assert metrics["bitrate_max"] == 100


def test_scores_do_not_depend_on_order_and_names() -> None:
    units, rng = corpus(), np.random.default_rng(0)
    expected = score_purity(units, 9, RATE, num_resamples=2)
    names, numbers = dict(zip(NAMES[1:], "wxyz")), rng.permutation(9)
    other = [
        each._replace(
            codes=numbers[each.codes],
            intervals=[Interval(i.start, i.end, names.get(i.phone, i.phone)) for i in each.intervals],
        )
        for each in units
    ]
    changed = score_purity([other[i] for i in rng.permutation(len(other))], 9, RATE, num_resamples=2)
    for protocol in PROTOCOLS:
        for name, value in expected[protocol].metrics.items():
            if not name.startswith("shuffled"):
                assert changed[protocol].metrics[name] == pytest.approx(value, abs=1e-12), name


def test_equal_seeds_give_equal_numbers() -> None:
    first, again, other = (score_purity(corpus(), 9, RATE, seed=seed)["all"] for seed in (0, 0, 1))
    assert (first.metrics, first.intervals) == (again.metrics, again.intervals)
    assert first.intervals != other.intervals
    assert first.metrics["shuffled_pnmi"] != other.metrics["shuffled_pnmi"]


@pytest.mark.parametrize("label", ["SIL", "sil", "", "sp", "h#", "<p:>"])
def test_only_silence_at_the_edges_is_trimmed(label: str) -> None:
    phones = [label, "AA", "B", label, "B", label, label]
    intervals = [Interval(0.1 + i / 10, 0.2 + i / 10, phone) for i, phone in enumerate(phones)]
    units = [LabeledCodes(np.arange(45), intervals)]
    scores = score_purity(units, 45, RATE)
    counts = [(scores[p].metrics["frames"], scores[p].metrics["dropped_frames"]) for p in PROTOCOLS]
    assert counts == [(35, 10), (20, 25)]
    assert scores["edges_trimmed"].metrics["num_phones"] == 3


def test_held_out_purity_needs_speakers() -> None:
    units = [each._replace(speaker="") for each in corpus()]
    score = score_purity(units, 9, RATE)["all"]
    assert score.metrics["phone_purity_heldout"] is None and score.intervals["phone_purity_heldout"] is None
    one = [each._replace(speaker="a") for each in corpus()]
    assert score_purity(one, 9, RATE)["all"].metrics["phone_purity_heldout"] is None
    known = corpus()
    some = score_purity([*known, known[0]._replace(speaker="")], 9, RATE)["all"].metrics
    assert some["phone_purity_heldout"] == score_purity(known, 9, RATE)["all"].metrics["phone_purity_heldout"]


def test_speaker_halves() -> None:
    assert speaker_halves(["p3", "p1", "", "p2", "p1"]) == {"": 2, "p1": 0, "p2": 1, "p3": 0}


def test_nothing_to_score() -> None:
    silent = LabeledCodes(np.arange(3), [Interval(0.0, 1.0, "SIL")])
    metrics = {p: s.metrics for p, s in score_purity([silent], 9, RATE).items()}
    assert metrics["all"]["frames"] == 3 and metrics["edges_trimmed"]["frames"] == 0
    assert metrics["edges_trimmed"]["pnmi"] is None and metrics["edges_trimmed"]["perplexity"] is None
    for units in ([], [LabeledCodes(np.zeros(0, int), [])], [LabeledCodes(np.zeros(3, int), [])]):
        score = score_purity(units, 9, RATE)["all"]
        assert score.metrics["frames"] == 0 and score.metrics["phone_purity"] is None and score.phones == ()


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        (np.zeros((3, 1), int), "expected (N,) integers"),
        (np.zeros(3), "expected (N,) integers"),
        (np.array([0, 9]), "codes from 0 to 9; expected 0 to 8"),
        (np.array([-1, 2]), "codes from -1 to 2; expected 0 to 8"),
    ],
)
def test_invalid_codes_are_rejected(codes: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError) as error:
        score_purity([LabeledCodes(codes, random_phones(0))], 9, RATE)
    assert words in str(error.value)


def test_too_many_labels_are_rejected() -> None:
    intervals = [Interval(i / 10, (i + 1) / 10, f"word {i}") for i in range(200)]
    with pytest.raises(ValueError, match="200 phones by 1000000 codes"):
        score_purity([LabeledCodes(np.zeros(10, int), intervals)], 1_000_000, RATE)


def test_a_million_frames_score_in_ten_seconds() -> None:
    """Of the worst kind, all over the table; seconds of processor time, for the machine may be shared."""
    rng = np.random.default_rng(0)
    labels = [f"phone {i}" for i in range(40)]

    def utterances() -> Iterator[LabeledCodes]:
        for i in range(2000):
            drawn = rng.integers(40, size=125)
            intervals = [Interval(n * 0.08, n * 0.08 + 0.08, labels[phone]) for n, phone in enumerate(drawn)]
            yield LabeledCodes(rng.integers(512, size=500), intervals, f"speaker {i % 100}")

    start = time.process_time()
    scores = score_purity(utterances(), 512, RATE)
    assert scores["all"].metrics["frames"] == 1_000_000
    assert time.process_time() - start < 10  # 4 measured
