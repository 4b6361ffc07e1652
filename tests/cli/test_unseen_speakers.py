"""Speakers kept out of training, from the corpus to the result table: encoded and scored separately."""

import json
import shutil
from pathlib import Path

import pytest

import speechvq
from helpers.tiny import run_config, write_config
from speechvq import encode, evaluate, prepare, train
from speechvq.config import EncoderConfig
from speechvq.data.codes_directory import open_codes
from speechvq.data.manifest import read_manifest

UNSEEN = "f01"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in corpus, small: three speakers of six sentences."""
    pytest.importorskip("espeakng_loader", reason="the extra `mini` is not installed")
    out = tmp_path_factory.mktemp("unseen") / "data"
    counts = ["--speakers", "3", "--sentences", "6", "--jobs", "1"]
    assert prepare.main(["mini", "--out", str(out), *counts, "--unseen-speakers", f"{UNSEEN},"]) == 0
    return out


def test_from_the_corpus_to_the_table(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encoder = EncoderConfig(strides=(2, 2, 2, 2, 2, 5), channels=4)
    config = run_config(data, model={"encoder": encoder}, steps=4, evaluate_every=4)
    run = tmp_path / "run"
    hidden = tmp_path / "hidden"
    shutil.move(data / "audio" / UNSEEN, hidden)  # whoever reads them, fails
    assert train.main(["--config", str(write_config(tmp_path, config)), "--out", str(run)]) == 0
    shutil.move(hidden, data / "audio" / UNSEEN)
    assert UNSEEN not in speechvq.load(run).speakers and len(speechvq.load(run).speakers) == 2

    codes = tmp_path / "codes"
    flags = ["--model", str(run), "--src", str(data), "--split", "unseen", "--out", str(codes)]
    assert encode.main(flags) == 0
    unheard = {u.utt for u in read_manifest(data) if u.speaker == UNSEEN}
    assert set(open_codes(codes).files) == unheard and len(unheard) == 6

    common = ["--alignments", str(data / "lab"), "--codes", str(codes)]
    purity, baselines = tmp_path / "purity.json", tmp_path / "baselines.json"
    manifest = ["--manifest", str(data)]
    assert evaluate.main(["purity", *common, *manifest, "--json", str(purity)]) == 0
    split = ["--corpus", str(data), "--split", "unseen", "--seeds", "1"]
    split += ["--config", str(tmp_path / "run.yaml")]
    assert evaluate.main(["baselines", *common, *split, "--json", str(baselines)]) == 0
    rows = json.loads(baselines.read_text())
    assert rows["split"] == "unseen" and rows["utterances"] == 6
    for protocol, figures in rows["protocols"].items():
        assert list(figures)[-1] == str(codes) and len(figures) == 5
        # One scorer: what `purity` says of the codes is what stands beside their baselines.
        ours = json.loads(purity.read_text())[protocol]
        assert ours["phone_purity"] == figures[str(codes)][0]["phone_purity"]
        assert {each[0]["frames"] + each[0]["dropped_frames"] for each in figures.values()} == {
            ours["frames"] + ours["dropped_frames"]
        }
    assert f"\n{codes}  " in capsys.readouterr().out


def test_baselines_hear_training_speakers_only(data: Path, tmp_path: Path) -> None:
    """Units that were fitted are the same, whatever the unheard speaker says."""
    common = ["--corpus", str(data), "--alignments", str(data / "lab"), "--seeds", "1", "--num-codes", "8"]
    units = [*common, "--frame-rate", "30", "--split", "test"]  # a rate without untrained encoder
    assert evaluate.main(["baselines", *units, "--json", str(tmp_path / "a.json")]) == 0
    moved = tmp_path / "hidden"
    shutil.move(data / "audio" / UNSEEN, moved)
    try:
        assert evaluate.main(["baselines", *units, "--json", str(tmp_path / "b.json")]) == 0
    finally:
        shutil.move(moved, data / "audio" / UNSEEN)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
