"""`evaluate baselines`: k-means separates vowels, shuffled codes do not; wrong flags get one clear line."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from helpers.synthetic_speech import make_speech_corpus
from helpers.tiny import run_config, write_config
from speechvq import evaluate
from speechvq.alignment.intervals import Interval, write_lab
from speechvq.config import EncoderConfig
from speechvq.data.codes_directory import open_codes
from speechvq.data.manifest import read_manifest
from speechvq.evaluate import baselines
from speechvq.evaluate.aligned_speech import training_utterances
from speechvq.results.units import BaselinesResult


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vowels of 150 ms by three speakers, with alignments."""
    folder = make_speech_corpus(tmp_path_factory.mktemp("voices"))
    for number, speaker in enumerate(("ann", "ben", "cay")):
        for i in range(6):
            rng = np.random.default_rng(100 * number + i)
            rng.standard_normal(24_000)  # the noise of the waveform is drawn before its vowels
            vowels = [int(rng.integers(4)) for _ in range(10)]
            phones = [Interval(0.15 * n, 0.15 * (n + 1), "AIUE"[vowel]) for n, vowel in enumerate(vowels)]
            write_lab(folder / "lab" / f"{speaker}_{i}.lab", phones)
    encoder = EncoderConfig(strides=(2, 2, 2, 2, 2, 5), channels=4)
    write_config(folder, run_config(folder, model={"encoder": encoder}))
    return folder


def run(voices: Path, *more: str | Path, seeds: int = 1) -> int:
    """The command at 8 codes and 100 Hz, with an encoder small enough for a test; later flags overrule."""
    asked = ["--num-codes", 8, "--frame-rate", 100, "--config", voices / "run.yaml", "--seeds", seeds]
    arguments = ["--corpus", voices, "--alignments", voices / "lab", *asked, *more]
    return evaluate.main(["baselines", *map(str, arguments)])


def test_all_baselines(voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "scores.json"
    assert run(voices, "--json", file, "--out", tmp_path / "units", seeds=2) == 0
    printed = capsys.readouterr().out
    names = ["majority phone", "shuffled k-means on MFCC", "k-means on MFCC", "untrained encoder"]
    assert all(f"\n{name}  " in printed for name in names) and " ± " in printed
    found = json.loads(file.read_text())
    assert found["utterances"] == 3 and found["without_alignment"] == []
    rows = found["protocols"]["all"]
    assert list(rows) == names and [len(rows[name]) for name in names] == [1, 2, 2, 2]
    purity = {name: np.mean([each["phone_purity"] for each in rows[name]]) for name in names}
    assert purity["k-means on MFCC"] > 0.6 > purity["shuffled k-means on MFCC"] >= purity["majority phone"]
    assert purity["majority phone"] == rows["majority phone"][0]["majority_prior"]
    assert all(each["frames"] + each["dropped_frames"] == 450 for name in names for each in rows[name])
    assert BaselinesResult.load(file).to_json()["protocols"]["all"] == rows
    written = open_codes(tmp_path / "units/k-means_on_MFCC-1")
    assert written.frame_rate_hz == 100 and written.num_codes == 8 and len(written.files) == 3


def test_numbers_default_to_those_of_the_units(
    voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = ["--corpus", str(voices), "--alignments", str(voices / "lab"), "--seeds", "1"]
    assert run(voices, "--out", tmp_path / "units", "--json", tmp_path / "asked.json") == 0
    config = ["--config", str(voices / "run.yaml")]
    for units in ([], ["--codes", str(tmp_path / "units/k-means_on_MFCC-0")]):
        found = tmp_path / "found.json"
        assert evaluate.main(["baselines", *corpus, *config, *units, "--json", str(found)]) == 0
        given, default = (
            json.loads(path.read_text())["protocols"] for path in (tmp_path / "asked.json", found)
        )
        assert given["all"]["k-means on MFCC"] == default["all"]["k-means on MFCC"]
    capsys.readouterr()
    assert evaluate.main(["baselines", *corpus]) == 2
    assert "--num-codes and --frame-rate are needed" in capsys.readouterr().err


def test_written_units_score_the_same(
    voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What --out wrote scores the same by --codes."""
    file, units = tmp_path / "scores.json", tmp_path / "units"
    assert run(voices, "--out", units) == 0
    folder = units / "k-means_on_MFCC-0"
    assert run(voices, "--codes", folder, "--json", file) == 0
    for rows in json.loads(file.read_text())["protocols"].values():
        assert rows[str(folder)] == rows["k-means on MFCC"]
    assert "k-means is fitted on split train" in capsys.readouterr().out


def test_equal_calls_give_equal_numbers(voices: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert run(voices, "--json", tmp_path / name) == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_default_encoder_is_the_papers(
    voices: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = baselines.build_parser().parse_args(
        ["--corpus", "c", "--alignments", "a", "--num-codes", "8", "--frame-rate", "25"]
    )
    config = baselines._encoder_config(arguments)
    assert not isinstance(config, str) and config.frame_rate == 25 and config.quantizer.num_codes == 8
    assert isinstance(baselines._paper_config(8, 30), str)
    monkeypatch.setattr(baselines, "_encoder_config", lambda _: baselines._paper_config(8, 30))
    assert run(voices, "--frame-rate", "30") == 0
    printed = capsys.readouterr().out
    assert "without the untrained encoder: 16000 samples" in printed and "\nuntrained encoder" not in printed


def test_missing_alignments_are_named(
    voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ben_5.lab").write_bytes((voices / "lab/ben_5.lab").read_bytes())
    assert run(voices, "--alignments", tmp_path, "--json", tmp_path / "s.json") == 0
    assert "no alignment of 2 of 3 utterances: ann_5, cay_5\n" in capsys.readouterr().err
    assert json.loads((tmp_path / "s.json").read_text())["without_alignment"] == ["ann_5", "cay_5"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--num-codes", "0"], "--num-codes 0: give 1 to 65536"),
        (["--frame-rate", "nan"], "--frame-rate nan: give 1 to 1000"),
        (["--seeds", "0"], "--seeds 0: give 1 to 100"),
        (["--split", "unseen"], "no utterances in split 'unseen'; there are dev, test, train"),
        (["--num-codes", "16"], "run.yaml: has 8 codes at 100 Hz; give --num-codes 8 --frame-rate 100"),
        (["--alignments", "nowhere"], "nowhere: no such folder"),
        (["--codes", "nowhere"], "nowhere: no such folder"),
        (["--config", "nowhere.yaml"], "nowhere.yaml: No such file"),
    ],
)
def test_mistakes_cost_one_line(
    flags: list[str], message: str, voices: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(voices, *flags) == 2
    complaint = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(complaint) == 1 and complaint[0].startswith("speechvq.evaluate baselines: error: ")
    assert message in complaint[0]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "ann_5.npy").unlink(), "no codes of 1 utterances of split 'test', ann_5"),
        (
            lambda folder: (folder / "meta.json").write_text('{"frame_rate_hz": 50, "num_codes": 8}'),
            "give --num-codes 8 --frame-rate 50",
        ),
    ],
)
def test_codes_that_do_not_fit(
    spoil: Callable[[Path], None],
    message: str,
    voices: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for speaker in ("ann", "ben", "cay"):
        np.save(tmp_path / f"{speaker}_5.npy", np.zeros(150, int))
    (tmp_path / "meta.json").write_text('{"frame_rate_hz": 100, "num_codes": 8}')
    spoil(tmp_path)
    assert run(voices, "--codes", tmp_path) == 2
    assert message in capsys.readouterr().err


def test_training_utterances_are_drawn_up_to_a_duration(voices: Path) -> None:
    utterances = read_manifest(voices)
    assert len(training_utterances(utterances, 1e9)) == 12 and len(training_utterances(utterances, 3.1)) == 3
    assert training_utterances(utterances, 3.1) == training_utterances(utterances, 1e9)[:3]
    with pytest.raises(ValueError, match="no split train"):
        training_utterances([u for u in utterances if u.split != "train"], 1.0)
