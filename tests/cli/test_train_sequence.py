"""A prior's training: it learns, resumes bit-exactly, measures honestly, and refuses in one line."""

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.tiny_prior import CODE_SPEC, GRU_CONDITIONED, SPEAKERS, WAVENET, make_codes, prior_run
from speechvq import config as configuration
from speechvq import evaluate, train
from speechvq.config import SequencePriorRun
from speechvq.data.code_crops import CodeSampler
from speechvq.data.code_strings import read_strings
from speechvq.data.codes_directory import open_codes
from speechvq.io.tensors import read_tensors
from speechvq.priors.sequence.model_directory import load_prior
from speechvq.results.prior import PriorResult
from speechvq.training.checkpoint import list_checkpoints
from speechvq.training.tasks.sequence import measure

THREE_BITS = 3.0  # what eight codes cost a prior that knows nothing


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_codes(tmp_path_factory.mktemp("corpus"))


def arguments(place: Path, config: SequencePriorRun, run: str = "run") -> list[str]:
    configuration.save(place / "run.yaml", config)
    return ["--config", str(place / "run.yaml"), "--out", str(place / run), "--device", "cpu"]


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned the random_walk, and that ada's rises and bob's falls."""
    place = tmp_path_factory.mktemp("exp")
    config = prior_run(
        folder,
        GRU_CONDITIONED,
        steps=150,
        learning_rate=2e-2,
        ema_decay=0.9,
        evaluate_every=75,
        save_every=75,
    )
    assert train.main(arguments(place, config)) == 0
    return place / "run"


def test_a_prior_learns_and_logs_its_measures(trained: Path) -> None:
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    first, last = (next(line for line in each if "heldout_bits" in line) for each in (lines, lines[::-1]))
    assert last["heldout_bits"] < min(first["heldout_bits"], THREE_BITS / 2)
    assert last["heldout_bits_per_second"] == pytest.approx(50 * last["heldout_bits"], abs=1e-3)
    assert (
        last["speaker_gap_bits"] > 0.01
    )  # the direction is visible after a code; only the first steps depend on the speaker
    assert not any("perplexity" in line for line in lines)
    prior = load_prior(trained)
    assert prior.code_spec == CODE_SPEC and prior.speakers == SPEAKERS


def test_a_resumed_run_ends_like_an_unbroken_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = prior_run(folder, WAVENET, steps=12, save_every=5)
    assert train.main(arguments(tmp_path, config, "unbroken")) == 0
    plain = CodeSampler.batches

    def stop_at_7(self: CodeSampler, batch: int, *, step: int = 0, **options: int) -> Iterator[object]:
        for crops in plain(self, batch, step=step, **options):
            step += 1
            if step == 7:
                signal.raise_signal(signal.SIGTERM)
            yield crops

    monkeypatch.setattr(CodeSampler, "batches", stop_at_7)
    argv = arguments(tmp_path, config, "stopped")
    assert train.main(argv) == 128 + signal.SIGTERM
    monkeypatch.undo()
    assert list_checkpoints(tmp_path / "stopped")[-1].name == "stage_0_step_7" and train.main(argv) == 0
    for name in ("model", "ema", "optimizer"):
        one, other = (
            read_tensors(list_checkpoints(tmp_path / run)[-1] / f"{name}.safetensors")
            for run in ("unbroken", "stopped")
        )
        assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_the_measures_are_over_whole_strings(folder: Path, trained: Path) -> None:
    prior, heldout = load_prior(trained), read_strings(open_codes(folder / "codes"), folder, ("dev",))
    summed, count = 0.0, 0
    for string in heldout:
        codes = torch.from_numpy(string.codes.astype(np.int64))[None]
        speaker = torch.tensor([SPEAKERS.index(string.speaker)])
        logits, _ = prior.predict(codes, prior.initial_state(1), speaker)
        summed -= float(logits.detach().log_softmax(-1).gather(2, codes[..., None]).sum()) / np.log(2)
        count += len(string.codes)
    assert measure(prior, heldout)["heldout_bits"] == pytest.approx(summed / count, rel=1e-4)


def test_evaluate_prior_stands_beside_ngrams(
    folder: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "prior.json"
    assert evaluate.main(["prior", "--prior", str(trained), "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    assert PriorResult.load(out).to_json() == json.loads(out.read_text())
    models = json.loads(out.read_text())["models"]
    bits = {name: each["bits"] for name, each in models.items()}
    assert bits["uniform"] == pytest.approx(THREE_BITS) and bits["bigram"] < bits["unigram"]
    assert bits["prior"] < bits["prior, mismatched speaker"]
    assert all(each["low"] <= each["bits"] <= each["high"] for each in models.values())
    assert "the prior is " in printed and "best n-gram" in printed and "2 utterances, 134 codes" in printed
    given = [
        "prior",
        "--prior",
        str(trained / "model"),
        "--codes",
        str(folder / "codes"),
        "--manifest",
        str(folder),
    ]
    assert evaluate.main([*given, "--split", "dev"]) == 0


def test_mistakes_of_evaluate_prior(
    folder: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shutil.copytree(folder / "codes", tmp_path / "codes")
    meta = json.loads((other / "meta.json").read_text())
    (other / "meta.json").write_text(json.dumps(meta | {"codebook": "f" * 16}))
    manifest = ["--manifest", str(folder)]
    for given, message in (
        (["--prior", str(trained / "model")], "--codes is needed"),
        (
            ["--prior", str(trained), "--codes", str(other), *manifest],
            "not codes of the prior's model, which has codebook",
        ),
        (["--prior", str(trained), "--split", "train"], "were fitted to it"),
        (["--prior", str(trained), "--split", "unseen"], "no codes of split 'unseen'"),
        (["--prior", str(tmp_path)], "--codes is needed"),
    ):
        assert evaluate.main(["prior", *given]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("data.codes=", "data.codes is not set"),
        ("data.codes=nowhere", "nowhere: no such folder"),
        ("data.manifest=", "model.speaker_dim needs the speaker of each string"),
        ("data.manifest=nowhere", "no such manifest"),
        ("model.network=lstm", "expected one of wavenet, gru"),
        ("model.kind=song", "model.kind: expected one of sequence"),
    ],
)
def test_mistakes_cost_one_line(
    change: str, message: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main([*arguments(tmp_path, prior_run(folder)), "--set", change]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line and not (tmp_path / "run").exists()


def test_another_speaker_among_the_held_out_is_refused_at_once(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        (folder / "manifest.tsv")
        .read_text()
        .replace("ada_6\tada", "ada_6\tzoe")
        .replace("\tada_", f"\t{folder}/ada_")
    )
    (tmp_path / "manifest.tsv").write_text(text)
    argv = [*arguments(tmp_path, prior_run(folder)), "--set", f"data.manifest={tmp_path}"]
    assert train.main(argv) == 2
    assert "speakers unknown to the prior: 'zoe'" in capsys.readouterr().err
    assert train.main([*argv, "--set", "model.speaker_dim=0", "--set", "train.steps=1"]) == 0
