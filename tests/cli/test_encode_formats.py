"""encode --format parquet and text: other libraries read the shards, evaluators too, and calls resume."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from helpers.audio_files import names, save_tiny_model, write_tone
from speechvq import encode, load
from speechvq.audio.waveform import read_waveform
from speechvq.data.codes_directory import open_codes
from speechvq.data.features_directory import open_features
from speechvq.data.manifest import read_manifest
from speechvq.data.unit_formats import shards
from speechvq.evaluate import codebook
from speechvq.runtime.signals import Stopped

FORMATS = ["parquet", "text"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("run"))


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra parquet")
    monkeypatch.setattr(shards, "ROWS", 4)


def run(model: Path, src: Path, out: Path, *more: str) -> int:
    return encode.main(["--model", str(model), "--src", str(src), "--out", str(out), *more])


@pytest.fixture(scope="module")
def expected(model: Path, corpus: Path) -> dict[str, np.ndarray]:
    loaded = load(model)
    return {each.utt: loaded.encode(read_waveform(each.path)) for each in read_manifest(corpus)}


def check(out: Path, expected: dict[str, np.ndarray]) -> None:
    """The folder holds each utterance once, with its codes."""
    found = open_codes(out)
    assert found.files.keys() == expected.keys()
    assert all(np.array_equal(found.read(utt), codes) for utt, codes in expected.items())


@pytest.mark.parametrize("more", [[], ["--deduplicate"]], ids=["frames", "deduplicated"])
@pytest.mark.parametrize("form", [["parquet"], ["text"], ["text", "--text-style", "speechgpt"]], ids="-".join)
def test_the_evaluators_read_what_encode_writes(
    form: list[str],
    more: list[str],
    model: Path,
    corpus: Path,
    tmp_path: Path,
    expected: dict[str, np.ndarray],
) -> None:
    assert run(model, corpus, tmp_path / "a", "--format", *form, *more) == 0
    check(tmp_path / "a", expected)
    assert len(list((tmp_path / "a/data").iterdir())) == 4  # 15 utterances, at most 4 in each
    assert run(model, corpus, tmp_path / "npy") == 0
    for name in ("a", "npy"):
        assert codebook.main(["--codes", str(tmp_path / name), "--json", str(tmp_path / f"{name}.json")]) == 0
    mine, npy = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("a", "npy"))
    assert mine == npy


def test_parquet_is_read_by_other_libraries(
    model: Path, corpus: Path, tmp_path: Path, expected: dict[str, np.ndarray]
) -> None:
    import pyarrow.parquet as pq

    assert run(model, corpus, tmp_path, "--format", "parquet", "--deduplicate") == 0
    rows = pq.read_table(tmp_path / "data").to_pylist()
    assert {row["utt"]: row["speaker"] for row in rows} == {u.utt: u.speaker for u in read_manifest(corpus)}
    for row in rows:
        assert row["rate"] == 2000.0 and row["fingerprint"] == load(model).fingerprint()
        assert all(a != b for a, b in zip(row["codes"], row["codes"][1:])) and min(row["durations"]) > 0
        assert np.array_equal(np.repeat(row["codes"], row["durations"]), expected[row["utt"]])
    meta = json.loads(pq.read_schema(tmp_path / "data/part-00000.parquet").metadata[b"speechvq"])
    assert meta == json.loads((tmp_path / "meta.json").read_text())


def test_parquet_is_read_by_polars(model: Path, corpus: Path, tmp_path: Path) -> None:
    polars = pytest.importorskip("polars", reason="needs polars")
    assert run(model, corpus, tmp_path, "--format", "parquet") == 0
    frame = polars.read_parquet(tmp_path / "data/*.parquet")
    assert frame.shape == (15, 6) and frame["codes"].list.len().sum() == sum(
        len(open_codes(tmp_path).read(u.utt)) for u in read_manifest(corpus)
    )


@pytest.mark.filterwarnings("ignore")  # of the library
@pytest.mark.parametrize("more", [[], ["--features"]], ids=["codes", "features"])
def test_parquet_is_read_by_datasets(
    more: list[str], model: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets = pytest.importorskip("datasets", reason="needs datasets")
    assert run(model, corpus, tmp_path / "out", "--format", "parquet", *more) == 0
    loaded = datasets.load_dataset(
        "parquet", data_dir=str(tmp_path / "out/data"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert len(loaded) == 15 and set(loaded.column_names) >= {"utt", "speaker", "rate", "fingerprint"}
    row = loaded[0]
    if more:
        written = open_features(tmp_path / "out").read(row["utt"])
        assert np.array_equal(np.array(row["features"], np.float32), written)
    else:
        assert row["codes"] == open_codes(tmp_path / "out").read(row["utt"]).tolist()


@pytest.mark.parametrize("form", ["npy", "parquet"])
def test_features_are_those_of_the_model(form: str, model: Path, corpus: Path, tmp_path: Path) -> None:
    assert run(model, corpus, tmp_path, "--format", form, "--features") == 0
    found, loaded = open_features(tmp_path), load(model)
    assert len(found.files) == 15 and found.frame_rate_hz == 2000.0
    for each in read_manifest(corpus):
        assert np.array_equal(found.read(each.utt), loaded.features(read_waveform(each.path)))


def test_text_has_one_line_per_utterance(model: Path, tmp_path: Path) -> None:
    write_tone(tmp_path / "in/a|b c.wav", samples=40)
    codes = load(model).encode(read_waveform(tmp_path / "in/a|b c.wav"))
    runs = [i for i in range(len(codes)) if i == 0 or codes[i] != codes[i - 1]]
    kept, lengths = [codes[i] for i in runs], np.diff([*runs, len(codes)])
    lines = {
        "": f"a|b c|{' '.join(map(str, codes))}\n",
        "--deduplicate": f"a|b c|{' '.join(map(str, kept))}|{' '.join(map(str, lengths))}\n",
        "--text-style speechgpt": f"a|b c|<sosp>{''.join(f'<{c}>' for c in codes)}<eosp>\n",
    }
    for i, (more, line) in enumerate(lines.items()):
        assert run(model, tmp_path / "in", tmp_path / str(i), "--format", "text", *more.split()) == 0
        assert (tmp_path / str(i) / "data/part-00000.txt").read_text() == line
        check(tmp_path / str(i), {"a|b c": codes})


@pytest.mark.parametrize("form", FORMATS)
def test_a_second_call_writes_nothing(
    form: str, model: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, corpus, tmp_path, "--format", form) == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert run(model, corpus, tmp_path, "--format", form) == 0
    assert "0 done, 15 skipped (unchanged), 0 failed" in capsys.readouterr().err
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


@pytest.mark.parametrize("form", FORMATS)
def test_a_changed_recording_replaces_its_row(
    form: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(6):
        write_tone(tmp_path / f"in/s/{i}.wav", samples=200 + 8 * i)
    assert run(model, tmp_path / "in", tmp_path / "out", "--format", form) == 0
    write_tone(tmp_path / "in/s/1.wav", samples=900)
    for i in (4, 5):  # a whole shard
        write_tone(tmp_path / f"in/s/{i}.wav", samples=1_000 + i)
    capsys.readouterr()
    assert run(model, tmp_path / "in", tmp_path / "out", "--format", form) == 0
    assert "3 done, 3 skipped (unchanged), 0 failed" in capsys.readouterr().err
    assert run(model, tmp_path / "in", tmp_path / "out", "--format", form) == 0
    assert "0 done, 6 skipped (unchanged), 0 failed" in capsys.readouterr().err
    loaded = load(model)
    check(
        tmp_path / "out",
        {str(i): loaded.encode(read_waveform(tmp_path / f"in/s/{i}.wav")) for i in range(6)},
    )
    suffix = shards.SUFFIXES[form]
    assert names(tmp_path / "out") == {"meta.json", f"data/part-00000{suffix}", f"data/part-00002{suffix}"}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("where", ["before the journal", "in the second shard"])
def test_a_killed_call_is_continued_without_repetition(
    form: str,
    where: str,
    model: Path,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    expected: dict[str, np.ndarray],
) -> None:
    """A process that dies after a shard is written, before the journal has all of its rows."""
    add, limit, count = shards.Journal.add, 2 if where == "before the journal" else 6, 0

    def die(*arguments: object, **options: object) -> None:
        nonlocal count
        count += 1
        if count > limit:
            raise SystemExit(9)
        add(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(shards.Journal, "add", die)
    with pytest.raises(SystemExit):
        run(model, corpus, tmp_path, "--format", form)
    monkeypatch.setattr(shards.Journal, "add", add)
    assert run(model, corpus, tmp_path, "--format", form) == 0
    check(tmp_path, expected)


@pytest.mark.parametrize("form", FORMATS)
def test_an_interrupted_call_keeps_what_was_encoded(
    form: str,
    model: Path,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    expected: dict[str, np.ndarray],
) -> None:
    read = encode.progress

    def interrupted(*arguments: object, **options: object) -> object:
        for number, each in enumerate(read(*arguments, **options)):  # type: ignore[arg-type]
            if number == 6:
                raise Stopped(2)
            yield each

    monkeypatch.setattr(encode, "progress", interrupted)
    assert run(model, corpus, tmp_path, "--format", form) == 130
    assert len(open_codes(tmp_path).files) == 6
    monkeypatch.setattr(encode, "progress", read)
    capsys.readouterr()
    assert run(model, corpus, tmp_path, "--format", form) == 0
    assert "9 done, 6 skipped (unchanged), 0 failed" in capsys.readouterr().err
    check(tmp_path, expected)


@pytest.mark.parametrize("form", FORMATS)
def test_shards_of_several_processes_form_one_folder(
    form: str, model: Path, corpus: Path, tmp_path: Path, expected: dict[str, np.ndarray]
) -> None:
    for index in (0, 1, 2):
        assert run(model, corpus, tmp_path, "--format", form, "--shard", f"{index}/3") == 0
    check(tmp_path, expected)
    # Another number of processes finds what these have written.
    before = names(tmp_path)
    assert run(model, corpus, tmp_path, "--format", form) == 0
    assert names(tmp_path) == before


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--features", "--format", "text"], "--features: vectors are no text"),
        (["--features", "--format", "parquet", "--deduplicate"], "--deduplicate: is for codes"),
        (["--deduplicate"], "--deduplicate: a .npy file has no durations"),
    ],
)
def test_flags_that_do_not_fit_together(
    flags: list[str], line: str, model: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, corpus, tmp_path / "out", *flags) == 2
    error = capsys.readouterr().err
    assert line in error and error.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "other", [["--format", "text"], ["--features"], ["--format", "parquet", "--deduplicate"]], ids=" ".join
)
def test_a_folder_of_another_form_is_refused(
    other: list[str], model: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, corpus, tmp_path, "--format", "parquet", "--limit", "1") == 0
    before = names(tmp_path)
    assert run(model, corpus, tmp_path, *other) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.endswith("other flags wrote this folder (--format parquet); choose another --out")
    assert names(tmp_path) == before


def test_a_missing_extra_is_one_line(
    model: Path,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    assert run(model, corpus, tmp_path / "out", "--format", "parquet") == 2
    error = capsys.readouterr().err
    assert "pip install 'speechvq[parquet]'" in error and error.count("\n") == 1


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("damage", ["truncated", "noise", "code"])
def test_a_damaged_shard_is_one_line(
    form: str,
    damage: str,
    model: Path,
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(model, corpus, tmp_path, "--format", form) == 0
    shard = min((tmp_path / "data").iterdir())
    harm: dict[str, Callable[[bytes], bytes]] = {
        "truncated": lambda content: content[:-7],
        "noise": lambda content: bytes(range(256)) * 3,
        "code": lambda content: b"ada_0|1 2 99\n",
    }
    shard.write_bytes(harm[damage](shard.read_bytes()))
    capsys.readouterr()
    code = codebook.main(["--codes", str(tmp_path)])
    error = capsys.readouterr().err
    if form == "text" and damage == "truncated":
        assert code in (0, 2)  # the last number may be shorter
    else:
        assert code == 2 and str(shard) in error and "\n" not in error.strip()
