"""`evaluate purity`: scores equal those of scikit-learn; wrong input gets one clear line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import homogeneity_score
from sklearn.metrics.cluster import contingency_matrix

from helpers.synthetic_speech import speech
from helpers.tiny import ROOT
from speechvq import evaluate
from speechvq.alignment.intervals import Interval, read_lab, write_lab
from speechvq.audio.waveform import write_waveform
from speechvq.data.manifest import Utterance, write_manifest
from speechvq.evaluate import purity
from speechvq.results.units import PurityResult
from unit.alignment.test_textgrid import long_form
from unit.metrics.test_purity import KEYS

NAMES = ("SIL", "AA", "B", "S")
RATE, COUNT = 40, 12


def phones(seed: int) -> list[Interval]:
    rng = np.random.default_rng(seed)
    cuts = [0.0, *(0.1 + np.sort(rng.uniform(0, 1.8, size=8))).round(3).tolist(), 2.0]
    middle = [NAMES[rng.integers(4)] for _ in cuts[3:]]
    return [Interval(a, b, name) for a, b, name in zip(cuts, cuts[1:], ["SIL", *middle, "SIL"])]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Codes in three integer types, alignments in three formats, and a manifest with recordings."""
    folder, rng = tmp_path_factory.mktemp("units"), np.random.default_rng(0)
    (folder / "codes").mkdir()
    (folder / "codes/meta.json").write_text(json.dumps({"frame_rate_hz": RATE, "num_codes": 6, "by": "hand"}))
    utterances, lines = [], []
    for i in range(COUNT):
        name, intervals = f"s{i % 3}_{i}", phones(i)
        centers = (np.arange(2 * RATE) + 0.5) / RATE
        right = [next(NAMES.index(p.phone) for p in intervals if p.start <= t < p.end) for t in centers]
        codes = np.where(rng.random(len(right)) < 0.6, right, rng.integers(6, size=len(right)))
        np.save(folder / f"codes/{name}.npy", codes.astype(["uint8", "int32", "int64"][i % 3]))
        if i % 3 == 0:
            write_lab(folder / f"labels/deep/{name}.lab", intervals)
        elif i % 3 == 1:
            tiers = {"words": [(0, 2, "x")], "phones": [(p.start, p.end, p.phone) for p in intervals]}
            (folder / f"labels/{name}.TextGrid").write_text(long_form(tiers), encoding="utf-16")
        else:
            lines += [f"{name} 1 {p.start:.4f} {p.end - p.start:.4f} {p.phone}\n" for p in intervals]
        write_waveform(folder / f"{name}.wav", speech("ann", seconds=2.0))
        utterances.append(Utterance(name, f"speaker {i % 3}", "test", 2.0, folder / f"{name}.wav"))
    (folder / "labels/rest.ctm").write_text("".join(lines))
    write_manifest(folder / "manifest.tsv", utterances)
    return folder


def run(folder: Path, *more: str | Path) -> int:
    flags = ["purity", "--codes", folder / "codes", "--alignments", folder / "labels", *more]
    return evaluate.main([str(flag) for flag in flags])


def test_scores_equal_those_of_scikit_learn(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, "--manifest", data / "manifest.tsv", "--json", tmp_path / "p.json") == 0
    printed, complaint = capsys.readouterr()
    assert "12 utterances with phones, 6 codes, 40 per second" in printed and not complaint
    found = json.loads((tmp_path / "p.json").read_text())
    for protocol in ("all", "edges_trimmed"):
        label, code = [], []
        for i in range(COUNT):
            intervals = phones(i)
            loud = [p for p in intervals if p.phone != "SIL"]
            for n, value in enumerate(np.load(data / f"codes/s{i % 3}_{i}.npy", allow_pickle=False)):
                now = next(p for p in intervals if p.start <= (n + 0.5) / RATE < p.end)
                if protocol == "all" or loud[0].start <= now.start <= loud[-1].start:
                    label.append(now.phone)
                    code.append(value)
        table = contingency_matrix(label, code)
        metrics = found[protocol]
        assert list(metrics) == KEYS
        assert metrics["frames"] == len(label) == 2 * RATE * COUNT - metrics["dropped_frames"]
        assert metrics["pnmi"] == pytest.approx(homogeneity_score(label, code), abs=1e-12)
        assert metrics["phone_purity"] == pytest.approx(table.max(axis=0).sum() / len(label), abs=1e-12)
        assert metrics["cluster_purity"] == pytest.approx(table.max(axis=1).sum() / len(label), abs=1e-12)
        assert metrics["majority_prior"] < metrics["phone_purity_heldout"] <= metrics["phone_purity"]
        low, high = found["intervals"][protocol]["pnmi"]
        assert low < metrics["pnmi"] < high and f"{metrics['pnmi']:.3f}" in printed
        assert f"{100 * metrics['phone_purity']:.1f} " in printed
    assert found["corpus"]["utterances"] == COUNT and found["corpus"]["without_alignment"] == []
    assert PurityResult.load(tmp_path / "p.json").to_json() == found


def test_without_speakers_and_with_a_plot(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, "--json", tmp_path / "p.json", "--plot", tmp_path / "p.png") == 0
    found = json.loads((tmp_path / "p.json").read_text())
    assert found["all"]["phone_purity_heldout"] is None
    assert found["intervals"]["all"]["phone_purity_heldout"] is None
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    first = capsys.readouterr().out
    assert run(data, "--manifest", data, "--plot", tmp_path / "q.png") == 0
    assert (tmp_path / "q.png").stat().st_size > (tmp_path / "p.png").stat().st_size  # with a spectrogram
    assert capsys.readouterr().out != first


def test_equal_calls_give_equal_numbers(data: Path, tmp_path: Path) -> None:
    for name in "ab":
        assert run(data, "--manifest", data, "--json", tmp_path / name) == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def made(folder: Path, codes: dict[str, Any], labels: dict[str, str], **meta: Any) -> Path:
    """A small corpus."""
    for name in ("codes", "labels"):
        (folder / name).mkdir()
    (folder / "codes/meta.json").write_text(json.dumps({"frame_rate_hz": 10, "num_codes": 9} | meta))
    for name, each in codes.items():
        np.save(folder / f"codes/{name}.npy", np.array(each))
    for name, text in labels.items():
        (folder / f"labels/{name}").write_text(text)
    return folder


ONE = "0 5000000 AA\n5000000 10000000 B\n"


def test_what_is_missing_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codes = {"a": [1] * 10, "b": [2] * 10, "c": [3] * 10}
    folder = made(tmp_path, codes, {"a.lab": ONE, "c.lab": ONE, "d.lab": ONE})
    write_manifest(folder / "m.tsv", [Utterance("a", "ann", "test", 1.0, folder / "a.wav")])
    assert run(folder, "--manifest", folder / "m.tsv", "--json", folder / "p.json") == 0
    printed = capsys.readouterr().out
    assert "left out: 1 without an alignment, for example b" in printed
    assert "not used: 1 alignments without codes" in printed
    assert "not in the manifest, so not in the held-out map: 1" in printed
    corpus = json.loads((folder / "p.json").read_text())["corpus"]
    assert (corpus["without_alignment"], corpus["without_codes"]) == (["b"], 1)
    assert corpus["without_speaker"] == ["c"]


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (10, ""),
        (4, "60 % of the codes lie outside of phones; check frame_rate_hz"),
        (99, "continue after the"),
    ],
)
def test_a_wrong_rate_gets_a_warning(
    rate: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(made(tmp_path, {"a": [1] * 10}, {"a.lab": ONE}, frame_rate_hz=rate)) == 0
    complaint = capsys.readouterr().err
    assert words in complaint and complaint.count("\n") == bool(words)


@pytest.mark.parametrize(
    ("codes", "labels", "more", "message"),
    [
        ({"a": [1]}, {"b.lab": ONE}, [], "no utterance is in both, for example 'a' and 'b'; name them alike"),
        ({"a": [1.5]}, {"a.lab": ONE}, [], "a.npy: expected integers, found float64"),
        ({"a": [9]}, {"a.lab": ONE}, [], "a.npy: code 9 at frame 0; meta.json allows 0 to 8"),
        ({"a": [1]}, {"a.lab": "0 5 A\n3 9 B\n"}, [], "a.lab, line 2: begins before the interval above it"),
        ({"a": [1]}, {"a.lab": ""}, [], "a.lab: holds no intervals"),
        ({"a": [1]}, {"a.TextGrid": long_form({"x": [], "y": []})}, [], "select the phone tier by --tier"),
        ({"a": [1]}, {"a.TextGrid": long_form({"x": []})}, ["--tier", "p"], "no tier of intervals named 'p'"),
        ({"a": [1]}, {"a.lab": "90000000 99000000 A\n"}, [], "no code lies within a phone"),
        ({"a": [1]}, {}, [], "labels: no alignments below"),
        ({"a": [1]}, {"a.lab": ONE}, ["--manifest", "nowhere.tsv"], "nowhere.tsv: no such manifest"),
        ({"a": [1]}, {"a.lab": ONE}, ["--json", "/proc/no/p.json"], "/proc/no/p.json: cannot be written"),
    ],
)
def test_mistakes_cost_one_line(
    codes: dict[str, Any],
    labels: dict[str, str],
    more: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(made(tmp_path, codes, labels), *more) == 2
    complaint = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(complaint) == 1 and complaint[0].startswith("speechvq.evaluate purity: error: ")
    assert message in complaint[0]


CODES, LABELS = ROOT / "exp/mini/codes", ROOT / "data/mini/lab"


@pytest.mark.skipif(
    not (CODES.is_dir() and LABELS.is_dir()), reason="needs the mini recipe's run: bash recipes/mini/run.sh"
)
def test_scores_of_the_mini_recipes_codes_equal_those_of_scikit_learn(tmp_path: Path) -> None:
    assert purity.main([*f"--codes {CODES} --alignments {LABELS} --json {tmp_path / 'p'}".split()]) == 0
    rate = json.loads((CODES / "meta.json").read_text())["frame_rate_hz"]
    label, code = [], []
    for path in CODES.glob("*.npy"):
        intervals = read_lab(next(LABELS.rglob(f"{path.stem}.lab")))
        for n, value in enumerate(np.load(path, allow_pickle=False)):
            now = [p.phone for p in intervals if p.start <= (n + 0.5) / rate < p.end]
            label += now
            code += [value] * len(now)
    found = json.loads((tmp_path / "p").read_text())["all"]
    assert found["frames"] == len(label)
    assert found["pnmi"] == pytest.approx(homogeneity_score(label, code), abs=1e-12)
