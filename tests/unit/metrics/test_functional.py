"""The public metrics on plain arrays: tables worked out by hand, all structures of input, clear errors."""

import doctest
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

import speechvq
from speechvq import metrics
from speechvq.metrics import functional

#          code 0  code 1  code 2
# phone a       3       1       0
# phone b       1       0       3
CODES = [0, 0, 0, 1, 0, 2, 2, 2]
PHONES = ["a", "a", "a", "a", "b", "b", "b", "b"]


def test_examples_of_the_docstrings() -> None:
    failed, tried = doctest.testmod(functional)
    assert failed == 0 and tried > 8


def test_a_table_by_hand() -> None:
    assert metrics.purity(CODES, PHONES) == (3 + 1 + 3) / 8
    assert metrics.cluster_purity(CODES, PHONES) == (3 + 3) / 8
    shared = 3 / 8 * math.log2(3 / 2) + 1 / 8 * math.log2(2) + 1 / 8 * math.log2(1 / 2) + 3 / 8 * math.log2(2)
    assert metrics.pnmi(CODES, PHONES) == pytest.approx(shared)  # the entropy of the phones is 1 bit


@pytest.mark.parametrize(
    ("codes", "phones"),
    [
        (np.array(CODES, np.uint16), np.array(PHONES)),
        (torch.tensor(CODES), PHONES),
        (CODES, [0, 0, 0, 0, 1, 1, 1, 1]),
        ([CODES[:3], CODES[3:]], [PHONES[:3], PHONES[3:]]),
        ({"u": np.array(CODES[:3]), "v": CODES[3:]}, {"v": PHONES[3:], "u": PHONES[:3]}),
        ([CODES, []], [PHONES, []]),
        ([*CODES, 7], [*PHONES, None]),
    ],
    ids=["numpy", "torch", "integer labels", "list", "dict", "empty utterance", "unlabeled frame"],
)
def test_every_structure_gives_the_same(codes: Any, phones: Any) -> None:
    assert metrics.purity(codes, phones) == 7 / 8
    assert metrics.cluster_purity(codes, phones) == 6 / 8
    assert metrics.pnmi(codes, phones) == metrics.pnmi(CODES, PHONES)


@pytest.mark.parametrize(
    ("codes", "phones", "message"),
    [
        ([0, 1], ["a"], r"2 codes, labels of shape \(1,\); give one label per code"),
        ({"u": [0, 1]}, {"u": ["a"]}, r"utterance 'u': 2 codes"),
        ({"u": [0]}, {"v": ["a"]}, r"utterance 'u': no phones"),
        ({"u": [0]}, {"u": ["a"], "v": ["a"]}, r"utterance 'v': phones, but no codes"),
        ([[0], [1]], [["a"]], r"utterance 1: no phones"),
        (np.zeros((2, 3), int), PHONES, r"codes of shape \(2, 3\); give one array per utterance"),
        ([0.5], ["a"], r"codes of shape \(1,\) and float64; expected \(N,\) integers"),
        ([0, -1], ["a", "b"], "code -1; codes count from 0, remove padding"),
        ([0], [None], "no frame has a label"),
        ([], [], "no frame has a label"),
    ],
)
def test_mistakes_are_named(codes: Any, phones: Any, message: str) -> None:
    for metric in (metrics.purity, metrics.cluster_purity, metrics.pnmi):
        with pytest.raises(ValueError, match=message):
            metric(codes, phones)


def test_codebook_statistics_by_hand() -> None:
    usage = metrics.codebook_statistics({"u": [0, 0, 0, 2], "v": [2, 2, 2, 0]}, 8)
    assert (usage.num_frames, usage.active_codes, usage.active_code_fraction) == (8, 2, 0.25)
    assert (usage.entropy_bits, usage.perplexity, usage.most_frequent_code_fraction) == (1.0, 2.0, 0.5)
    assert usage.mean_code_duration_frames == 2.0  # four runs, because none crosses a boundary
    assert usage.counts.tolist() == [4, 0, 4, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("codes", "message"),
    [([8], "code 8; expected codes below num_codes, 8"), ([], "there are no codes"), ([-1], "code -1")],
)
def test_mistakes_in_codebook_statistics(codes: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.codebook_statistics(codes, 8)


def utterance(seed: int) -> tuple[np.ndarray, list[tuple[float, float, str]]]:
    """Ten phones of two frames each at 50 Hz, and features that point into one direction per phone."""
    phones = np.random.default_rng(seed).permutation(["A", "B", "C"] * 4)
    alignment = [(i / 25, (i + 1) / 25, str(phone)) for i, phone in enumerate(phones)]
    codes = np.repeat(["ABC".index(phone) for phone in phones], 2)
    return codes, alignment


@pytest.mark.parametrize("speaker", ["within", "across"])
def test_abx_of_perfect_and_of_constant_frames(speaker: Any) -> None:
    made = {f"u{i}": utterance(i) for i in range(4)}
    codes, alignments = ({name: each[k] for name, each in made.items()} for k in (0, 1))
    speakers = {"u0": "x", "u1": "x", "u2": "y", "u3": "y"}
    options: dict[str, Any] = {
        "frame_rate_hz": 50, "speaker": speaker, "context": "any", "items": "phoneme"
    }  # fmt: skip
    score = metrics.abx(codes, alignments, speakers, **options)
    assert (score.error, score.low, score.high, score.pairs) == (0, 0, 0, 6) and score.triples > 0
    features = {name: np.eye(3)[each] for name, each in codes.items()}
    assert metrics.abx(features, alignments, speakers, **options).error == pytest.approx(0, abs=1e-12)
    assert metrics.abx(codes, alignments, speakers, codebook=np.eye(3), **options).error == 0
    constant = {name: np.zeros_like(each) for name, each in codes.items()}
    assert metrics.abx(constant, alignments, speakers, **options).error == 0.5
    listed = metrics.abx(list(codes.values()), list(alignments.values()), list(speakers.values()), **options)
    assert listed == score


def test_mistakes_in_abx() -> None:
    codes, alignment = utterance(0)
    for frames, alignments, speakers, options, message in (
        ({"u": codes}, {}, {"u": "x"}, {}, "utterance 'u': no alignments"),
        ({"u": codes}, {"u": alignment}, {}, {}, "utterance 'u': no speakers"),
        (np.full((24, 2), np.nan), alignment, "x", {}, "expected codes"),
        ([np.ones((5, 2)), np.ones((5, 3))], [alignment] * 2, "x", {}, "different numbers of features"),
        (np.ones((24, 2)), alignment, "x", {"codebook": np.eye(2)}, "only for codes"),
        (codes, alignment, "x", {"codebook": np.eye(2)}, "expected \\(K, C\\) with K above every code"),
        (codes, [(0.0, "A")], "x", {}, "alignments are \\(start, end, phone\\)"),
        ([], [], [], {}, "there are no frames"),
        (codes, alignment, "x", {"speaker": "both"}, "speaker 'both'; give 'within' or 'across'"),
        (codes, alignment, "x", {"frame_rate_hz": 0}, "frame_rate_hz 0; give the number"),
    ):
        with pytest.raises(ValueError, match=message):
            metrics.abx(frames, alignments, speakers, **{"frame_rate_hz": 50} | options)  # type: ignore[arg-type]


def test_names_complete_and_torch_is_not_imported() -> None:
    assert set(metrics.__all__) <= set(dir(metrics)) and "metrics" in dir(speechvq)
    with pytest.raises(AttributeError, match="no attribute 'purety'"):
        metrics.purety  # noqa: B018
    script = (
        "import sys, speechvq; speechvq.metrics.purity([0], ['a']); "
        "print(sorted({'torch', 'numba', 'sklearn'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
