"""The page: complete, self-contained, and safe whatever the files that it shows contain."""

import base64
import io
import json
import re
import shlex
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib.figure import Figure
from PIL import Image

import speechvq
from cli.test_commands import PARSERS
from helpers import measurements
from helpers.synthetic_speech import make_speech_corpus, speech
from helpers.tiny import run_config, speech_model
from speechvq import config as configuration
from speechvq import report
from speechvq.audio.waveform import write_waveform
from speechvq.data.manifest import Utterance, write_manifest
from speechvq.data.unit_formats.npy import write_npy
from speechvq.io.atomic import write_bytes
from speechvq.metrics import summary
from speechvq.report import training_run
from speechvq.speech.model_directory import save_model

LINES = [
    {"step": 50, "nats": 4.1, "perplexity": 12.0},
    {"step": 100, "heldout_bits": 5.51, "codes_gap_bits": 0.4, "heldout_perplexity": 15.0},
]  # fmt: skip
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def without_rendering(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay figures out without rendering, which takes seconds; `test_a_full_page` renders them."""
    if request.function is test_a_full_page:
        return

    def save(figure: Figure, path: Path, *, num_colors: int = 256) -> None:
        assert figure.axes
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (1, 1)).save(path)

    for module in ("conversion", "training_curve", "units"):
        monkeypatch.setattr(f"speechvq.plots.{module}.save_figure", save)


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    return make_speech_corpus(tmp_path / "voices", sentences=3)


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


VOID = {"meta", "img", "br"}


class Tags(HTMLParser):
    """Collects the tags of a page and checks that they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.found.append((tag, dict(attrs)))
        self._open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def sources(self, tag: str) -> list[str]:
        return [str(attributes["src"]) for name, attributes in self.found if name == tag]


def seconds(url: str) -> float:
    """Duration of the audio in a data URL."""
    audio = soundfile.info(io.BytesIO(base64.b64decode(url.removeprefix("data:audio/flac;base64,"))))
    assert audio.samplerate == 16_000
    return audio.duration


def run(*arguments: str | Path) -> int:
    return report.main([str(argument) for argument in arguments])


def test_a_full_page(
    trained: Path, converted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = measurements.write(tmp_path / "scores.json", measurements.conversions())
    out = tmp_path / "page" / "index.html"
    assert run("--run", trained, "--converted", converted, "--scores", scores, "--out", out) == 0
    assert capsys.readouterr().out.endswith(f"{out}\n")
    assert sorted(each.name for each in out.parent.iterdir()) == ["conversion.png", "curve.png", "index.html"]
    text = out.read_text()
    tags = Tags(text)
    assert len(tags.sources("img")) == 2 and len(tags.sources("audio")) == 5  # two sources, three conversions
    assert {seconds(url) for url in tags.sources("audio")} == {1.5}
    for expected in ("5.510 bits/sample", "to cay", "ann_2", "num_codes: 8", "to ben", "no F0"):
        assert expected in text
    for expected in ("target preferred (%)", "44 to 100", "log-mel distance (dB)", "6.1"):
        assert expected in text


def test_generated_speech_has_audio_and_a_figure(
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
    Image.new("L", (1, 1)).save(folder / "generated.png")
    assert run("--run", trained, "--generated", folder) == 0
    text = (trained / "report.html").read_text()
    assert [seconds(url) for url in Tags(text).sources("audio")] == [0.3, 0.3]
    assert len(Tags(text).sources("audio")) == 2 and len(Tags(text).sources("img")) == 2
    assert "Generated speech" in text and "ben_1" in text


def test_resyntheses(trained: Path, converted: Path, tmp_path: Path) -> None:
    """From a folder of resyntheses, or from conversions to the source speaker."""
    write_waveform(converted / "ann/ann_2.wav", speech("ann", 2, seconds=0.7))
    write_waveform(tmp_path / "resynthesis/ben/ben_2.wav", speech("ben", 2, seconds=0.8))
    assert run("--run", trained, "--converted", converted, "--resynthesis", tmp_path / "resynthesis") == 0
    text = (trained / "report.html").read_text()
    found = {
        attributes["aria-label"]: attributes["src"]
        for name, attributes in Tags(text).found
        if name == "audio"
    }
    assert seconds(str(found["ann_2, resynthesis"])) == 0.7
    assert seconds(str(found["ben_2, resynthesis"])) == 0.8
    assert "to ann" not in text and len(found) == 7


@pytest.fixture
def phones(tmp_path: Path) -> dict[str, Path]:
    """Codes, alignments and results of `evaluate`, by the report's flags."""
    folders = {"--codes": tmp_path / "units", "--alignments": tmp_path / "lab"}
    meta = {"frame_rate_hz": 50, "num_codes": 8}
    write_bytes(folders["--codes"] / "meta.json", json.dumps(meta).encode())
    for i, name in enumerate(("ann_2", "ben_2", "cay_2")):
        write_npy(folders["--codes"] / f"{name}.npy", np.random.default_rng(i).integers(8, size=75))
        phones = b"0 5000000 SIL\n5000000 10000000 AA\n10000000 15000000 <b>\n"
        write_bytes(folders["--alignments"] / f"{name}.lab", phones)
    contents = {
        "--purity": measurements.purity(),
        "--baselines": measurements.baselines(),
        "--abx": measurements.abx(),
    }
    files = {flag: tmp_path / f"{flag[2:]}.json" for flag in contents}
    return folders | {flag: measurements.write(files[flag], content) for flag, content in contents.items()}


def test_the_cost_of_each_stage(trained: Path, tmp_path: Path) -> None:
    file = measurements.write(tmp_path / "stages.json", measurements.stages())
    assert run("--run", trained, "--stages", file, "--out", tmp_path / "page.html") == 0
    page = (tmp_path / "page.html").read_text()
    for text in (
        "english29 (0123456789abcdef): 1 sentences, 10 words",
        "30.0 (20.0 to 40.0)",
        "+20.0 (+10.0",
    ):
        assert text in page
    assert "&lt;codes&gt;" in page and "Judge: Whisper base" in page
    assert run("--run", trained, "--stages", tmp_path / "page.html") == 2


def test_a_conversion_to_the_source_speaker_is_marked(trained: Path, converted: Path) -> None:
    write_waveform(converted / "ann/ann_2.wav", speech("ann", 2))
    assert run("--run", trained, "--converted", converted) == 0
    text = (trained / "report.html").read_text()
    assert "to ann" in text and text.count("<small>resynthesis</small>") == 1
    assert "<th>resynthesis</th>" not in text


def test_codes_and_phones(trained: Path, voices: Path, converted: Path, phones: dict[str, Path]) -> None:
    flags = [word for pair in phones.items() for word in pair]
    assert run("--run", trained, "--manifest", voices, "--converted", converted, *flags) == 0
    text = (trained / "report.html").read_text()
    assert len(Tags(text).sources("img")) == 3 and (trained / "units.png").is_file()
    for expected in (">43.7<", "38.9 to 47.1", "30.0 ± 7.1 %", "All frames: 225 codes, 3 phones"):
        assert expected in text
    for expected in (
        "ABX error of phonemes in any context (%) ↓",
        "angle of features",
        ">12.3<",
        "10.0 to 15.0",
    ):
        assert expected in text
    assert "not seen in training" not in text
    assert "exp/run/codes" not in text  # these are the codes of this run
    assert text.count('<tr class="ours"><td>this run</td>') == 3  # two protocols, and ABX


def test_unseen_speakers_have_tables_of_their_own(trained: Path, phones: dict[str, Path]) -> None:
    flags = {"--unseen-purity": phones["--purity"], "--unseen-baselines": phones["--baselines"]}
    assert run("--run", trained, *(word for pair in flags.items() for word in pair)) == 0
    text = (trained / "report.html").read_text()
    Tags(text)
    assert "Speakers not seen in training, all frames: 225 codes, 3 phones" in text
    assert "phone purity, speakers not seen in training (majority phone: 33.3\N{NO-BREAK SPACE}%)" in text
    assert "<h3>All frames" not in text and "30.0 ± 7.1 %" in text


@pytest.mark.parametrize("flag", ["--purity", "--baselines"])
def test_only_one_of_purity_and_baselines(flag: str, trained: Path, phones: dict[str, Path]) -> None:
    assert run("--run", trained, flag, phones[flag]) == 0
    text = (trained / "report.html").read_text()
    Tags(text)
    assert ("k-means on MFCC" in text) == (flag == "--baselines") == ("this run" not in text)
    assert ("exp/run/codes" in text) == (flag == "--baselines")


def test_the_page_loads_nothing_and_runs_nothing(trained: Path, converted: Path) -> None:
    assert run("--run", trained, "--converted", converted) == 0
    text = (trained / "report.html").read_text()
    tags = Tags(text)
    assert not {tag for tag, _ in tags.found} & {"script", "link", "iframe", "object"}
    assert all(source.startswith("data:") for source in tags.sources("img") + tags.sources("audio"))
    links = [
        str(attributes[key])
        for _, attributes in tags.found
        for key in ("href", "srcset")
        if key in attributes
    ]
    anchors = {f"#{attributes['id']}" for _, attributes in tags.found if "id" in attributes}
    assert links and set(links) <= anchors
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


def test_the_parts_in_the_folder_of_the_run_are_collected(
    trained: Path, converted: Path, voices: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--run", trained) == 0
    page, lines = (trained / "report.html").read_text(), capsys.readouterr().err.splitlines()
    assert "not on the page: conversions; it comes from: python -m speechvq.convert --model" in lines[1]
    assert (
        len(lines) == 9 and "Not on this page yet" in page and f"speechvq {speechvq.__version__}; 20" in page
    )
    shutil.move(converted, trained / "converted")
    measurements.write(trained / "conversion.json", measurements.conversions())
    assert run("--run", trained) == 0
    page, rest = (trained / "report.html").read_text(), capsys.readouterr().err
    assert len(Tags(page).sources("audio")) == 5 and "target preferred (%)" in page
    assert "conversions;" not in rest and "phone purity" in rest
    shutil.move(voices / "manifest.tsv", voices / "gone.tsv")
    assert run("--run", trained) == 0, "conversions are shown with their sources, which are not there"


def test_the_commands_for_missing_parts_can_be_parsed(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--run", trained) == 0
    for line in capsys.readouterr().err.splitlines():
        command = shlex.split(line.split("it comes from: python -m speechvq.")[1])
        name = " ".join(command[:2]) if command[0] == "evaluate" else command[0]
        PARSERS[name]().parse_args(command[len(name.split()) :])


def test_a_line_that_a_crash_cut_short_is_left_out(trained: Path) -> None:
    with open(trained / "metrics.jsonl", "ab") as file:
        file.write(b'\x00\x00\n[1]\n"step"\n{"step": NaN}\n{"step": 150, "na')
    _, metrics = training_run.read_run(trained)
    assert metrics == LINES


def test_the_stages_before_the_main_one_are_left_out(trained: Path) -> None:
    with open(trained / "metrics.jsonl", "a") as file:
        file.write('{"stage": "source_filter", "step": 3000, "loss": 1.5}\n')
    _, metrics = training_run.read_run(trained)
    assert metrics == LINES


def test_mistakes_cost_one_line(
    trained: Path, converted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "other.json").write_text('{"summary": {"a": {"b": 1}}}')
    fields = summary.MetricSummary._fields
    (tmp_path / "text.json").write_text(
        json.dumps(measurements.conversions().to_json() | {"summary": {"a": dict.fromkeys(fields, "<b>")}})
    )
    for arguments, message in (
        (("--run", tmp_path), "no run here"),
        (("--run", trained, "--out", tmp_path / "page.pdf"), "name must end in .html"),
        (("--run", trained, "--examples", "0"), "give 1 or more"),
        (("--run", trained, "--converted", tmp_path / "no"), "no such folder"),
        (("--run", trained, "--converted", converted, "--manifest", tmp_path), "no such manifest"),
        (("--run", trained, "--resynthesis", tmp_path), "needs --converted"),
        (("--run", trained, "--codes", tmp_path), "needs --alignments"),
        (("--run", trained, "--converted", converted, "--resynthesis", tmp_path / "no"), "no such folder"),
        (("--run", trained, "--scores", tmp_path / "no.json"), "write it with"),
        (("--run", trained, "--purity", tmp_path / "no.json"), "write it with `evaluate purity"),
        (("--run", trained, "--purity", tmp_path / "other.json"), "not a result of"),
        (("--run", trained, "--baselines", tmp_path / "list.json"), "not a result of"),
        (("--run", trained, "--unseen-purity", tmp_path / "list.json"), "not a result of"),
        (("--run", trained, "--unseen-baselines", tmp_path / "no.json"), "write it with `evaluate baselines"),
        (("--run", trained, "--abx", tmp_path / "other.json"), "not a result of `evaluate abx`"),
        (("--run", trained, "--baselines", tmp_path / "other.json"), "not a result of"),
        (("--run", trained, "--scores", tmp_path / "list.json"), "not a result of"),
        (("--run", trained, "--scores", tmp_path / "other.json"), "not a result of"),
        (("--run", trained, "--scores", tmp_path / "text.json"), "not a result of"),
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
