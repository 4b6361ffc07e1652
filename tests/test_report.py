"""The page: complete, self-contained, and harmless whatever stands in the files it shows."""

import base64
import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
import soundfile

from speechvq import config as configuration
from speechvq import evaluate, report
from speechvq.audio.manifest import Utterance, write_manifest
from speechvq.audio.waveform import write_waveform
from speechvq.speech.model_directory import save_model
from tiny import run_config, speech_model
from voices import make_voices, speech

FLAGS = {"--help", "--run", "--converted", "--manifest", "--scores", "--out", "--examples", "--generated"}
LINES = [
    {"step": 50, "nats": 4.1, "perplexity": 12.0},
    {"step": 100, "heldout_bits": 5.51, "codes_gap_bits": 0.4, "heldout_perplexity": 15.0},
]  # fmt: skip
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    return make_voices(tmp_path / "voices", sentences=3)


@pytest.fixture
def trained(voices: Path, tmp_path: Path) -> Path:
    """A run directory with metrics and a tiny model."""
    folder = tmp_path / "exp" / f"run {HOSTILE[:8]}"
    folder.mkdir(parents=True)
    configuration.save(folder / "config.yaml", run_config(voices))
    with open(folder / "config.yaml", "a") as file:
        file.write(f"# {HOSTILE}\n")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    save_model(folder / "model", speech_model())
    return folder


@pytest.fixture
def converted(tmp_path: Path) -> Path:
    for target in ("ben", "cay"):
        write_waveform(tmp_path / "converted" / target / "ann_2.wav", speech(target, 2))
    write_waveform(tmp_path / "converted/cay/ben_2.wav", speech("cay", 102))
    return tmp_path / "converted"


class Tags(HTMLParser):
    """Collects the tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def sources(self, tag: str) -> list[str]:
        return [str(attributes["src"]) for name, attributes in self.found if name == tag]


def run(*arguments: str | Path) -> int:
    return report.main([str(argument) for argument in arguments])


def test_flags_are_pinned() -> None:
    options = {text for action in report.build_parser()._actions for text in action.option_strings}
    assert options - {"-h"} == FLAGS


def test_a_full_page(
    trained: Path, voices: Path, converted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = tmp_path / "scores.json"
    evaluate.main(
        ["conversion", "--converted", str(converted), "--manifest", str(voices), "--json", str(scores)]
    )
    out = tmp_path / "page" / "index.html"
    assert run("--run", trained, "--converted", converted, "--scores", scores, "--out", out) == 0
    assert capsys.readouterr().out.endswith(f"{out}\n")
    assert sorted(each.name for each in out.parent.iterdir()) == ["conversion.png", "curve.png", "index.html"]
    text = out.read_text()
    tags = Tags(text)
    assert len(tags.sources("img")) == 2 and len(tags.sources("audio")) == 5  # two sources, three conversions
    sound = base64.b64decode(tags.sources("audio")[0].removeprefix("data:audio/wav;base64,"))
    assert soundfile.info(io.BytesIO(sound)).samplerate == 16_000
    for said in ("5.510 bits a sample", "target likelier than source", "as cay", "ann_2", "num_codes: 8"):
        assert said in text


def test_generated_sounds_are_heard_and_seen(
    trained: Path, converted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "generated"
    utterances = []
    for name in ("ann_0", "ben_1"):
        write_waveform(folder / f"{name}.wav", speech(name[:3], 1, seconds=0.3))
        utterances.append(Utterance(name, name[:3], "generated", 0.3, folder / f"{name}.wav"))
    write_manifest(folder / "manifest.tsv", utterances)
    assert run("--run", trained, "--generated", folder) == 2
    assert "generated.png: No such file" in capsys.readouterr().err
    shutil.copy(trained / "curve.png", folder / "generated.png")
    assert run("--run", trained, "--generated", folder) == 0
    text = (trained / "report.html").read_text()
    assert len(Tags(text).sources("audio")) == 2 and len(Tags(text).sources("img")) == 2
    assert "Speech from nothing" in text and "ben_1" in text


def test_the_page_loads_nothing_and_runs_nothing(trained: Path, converted: Path) -> None:
    assert run("--run", trained, "--converted", converted) == 0
    text = (trained / "report.html").read_text()
    tags = Tags(text)
    assert not {tag for tag, _ in tags.found} & {"script", "link", "iframe", "object"}
    assert all(source.startswith("data:") for source in tags.sources("img") + tags.sources("audio"))
    assert not re.search(r"https?://|url\(|@import", text) and "default-src 'none'" in text
    assert HOSTILE not in text and "&lt;script&gt;" in text


def test_a_run_without_model_or_conversions(trained: Path, converted: Path) -> None:
    assert run("--run", trained) == 0
    assert Tags((trained / "report.html").read_text()).sources("audio") == []
    (trained / "model/config.yaml").unlink()
    (trained / "model/model.safetensors").unlink()
    (trained / "model").rmdir()
    assert run("--run", trained, "--converted", converted, "--examples", "1") == 0
    assert len(Tags((trained / "report.html").read_text()).sources("audio")) == 3


def test_a_line_that_a_crash_cut_short_is_left_out(trained: Path) -> None:
    with open(trained / "metrics.jsonl", "ab") as file:
        file.write(b'\x00\x00\n[1]\n"step"\n{"step": NaN}\n{"step": 150, "na')
    _, metrics = report.read_run(trained)
    assert metrics == LINES


def test_mistakes_cost_one_line(
    trained: Path, converted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "other.json").write_text('{"summary": {"a": {"b": 1}}}')
    (tmp_path / "text.json").write_text(
        json.dumps({"summary": {"a": dict.fromkeys(report.Figure._fields, "<b>")}})
    )
    for arguments, message in (
        (("--run", tmp_path), "no run here"),
        (("--run", trained, "--out", tmp_path / "page.pdf"), "name the page something.html"),
        (("--run", trained, "--examples", "0"), "one sentence at least"),
        (("--run", trained, "--converted", tmp_path / "no"), "no such folder"),
        (("--run", trained, "--converted", converted, "--manifest", tmp_path), "no such manifest"),
        (("--run", trained, "--scores", tmp_path / "no.json"), "write it with"),
        (("--run", trained, "--scores", tmp_path / "list.json"), "not the numbers"),
        (("--run", trained, "--scores", tmp_path / "other.json"), "not the numbers"),
        (("--run", trained, "--scores", tmp_path / "text.json"), "not the numbers"),
    ):
        assert run(*arguments) == 2
        complaint = capsys.readouterr().err
        assert message in complaint and complaint.count("\n") == 1


def test_a_run_that_has_not_begun(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (trained / "metrics.jsonl").write_text("")
    assert run("--run", trained) == 2
    (trained / "metrics.jsonl").unlink()
    assert run("--run", trained) == 2
    assert capsys.readouterr().err.count("train for some steps first") == 2
