"""The README is correct: commands, paths and flags exist, and the commands of "Your own recordings" run."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import speechvq
from cli.test_commands import FLAGS, PARSERS
from helpers.audio_files import names, write_tone
from helpers.documents import Document, is_ours, words
from helpers.tiny import ROOT
from speechvq import (
    __main__,
    align,
    convert,
    decode,
    demo,
    draw,
    encode,
    enroll,
    evaluate,
    export,
    generate,
    imagine,
    live,
    prepare,
    report,
    train,
)
from speechvq import config as configuration
from speechvq.audio.waveform import read_waveform
from speechvq.cli import command
from speechvq.config import SpeechRun
from speechvq.speech.model_directory import find_speech_model
from speechvq.speech.speakers.speaker_facts import FEW_MINUTES, load_speaker_facts

PAGE = Document(ROOT / "README.md")
README, FENCED, INLINE, COMMANDS, LINKS = PAGE.text, PAGE.fenced, PAGE.inline, PAGE.commands, PAGE.links
MAINS = {
    "prepare": prepare,
    "train": train,
    "encode": encode,
    "convert": convert,
    "live": live,
    "decode": decode,
    "export": export,
    "enroll": enroll,
    "generate": generate,
    "align": align,
    "draw": draw,
    "imagine": imagine,
    "report": report,
    "demo": demo,
}
WAVENET = (
    "{stacks: 1, layers: 3, residual_channels: 4, skip_channels: 4, hidden_channels: 4, "
    "conditioning_channels: 4, speaker_dim: 2, mulaw_bins: 32}"
)
SHRUNK = {
    "train.steps": "2",
    "train.num_eval_items": "2",
    "data.crop": "1280",
    "model.decoder_segment_length": "640",
    "model.encoder.channels": "8",
    "model.source_filter": (
        "{filter_order: 4, num_harmonics: 3, channels: 8, pretrain_steps: 2, pretrain_batch: 2}"
    ),
    "model.quantizer": "{num_codes: 8, dim: 4}",
    "model.wavenet": WAVENET[:-1] + ", condition_on_f0: true, condition_on_phase: true}",
}


@pytest.mark.parametrize("line", [line for line in COMMANDS if is_ours(line)])
def test_commands_can_be_parsed(line: str) -> None:
    _, _, module, *arguments = words(line)
    PARSERS[module.removeprefix("speechvq.")]().parse_args(arguments)


@pytest.mark.parametrize("line", [line for line in COMMANDS if not is_ours(line)])
def test_other_commands_install_or_are_scripts_of_ours(line: str) -> None:
    program, *arguments = words(line)
    if program == "bash":
        assert len(arguments) == 1 and (ROOT / arguments[0]).is_file()
    else:
        assert line.startswith(
            ("git clone REPOSITORY speechvq && cd speechvq", "python3 -m venv .venv && . ", "pip install . ")
        )


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 200


def test_the_readme_leads_with_voices_of_enough_speech() -> None:
    facts = load_speaker_facts(find_speech_model(speechvq.DEFAULT_MODEL))
    targets = set(re.findall(r"--target-speaker (\S+)", README)) - {"ada", "me"}
    named = {name for target in targets for name in target.split(",")}
    assert named and all((facts[name].minutes or 0) >= FEW_MINUTES for name in named)
    assert "p225" not in README


def test_the_readme_has_commands_links_and_code() -> None:
    assert len(COMMANDS) >= 6 and len(LINKS) >= 5 and len(INLINE) >= 20


@pytest.mark.parametrize("span", [span for span in INLINE if "speechvq." in span or "run.sh" in span])
def test_flags_of_inline_commands_exist(span: str) -> None:
    found = re.search(r"-m speechvq\.(evaluate \w+|\w+)|(recipes/\S+\.sh)", span)
    assert found, span
    if found[2]:
        known = (ROOT / found[2]).read_text()
    else:
        known = FLAGS[found[1]]
    flags = set(re.findall(r"--[a-z-]+", span[found.start() :]))
    assert all(flag in known for flag in flags)


def test_inline_flags_exist() -> None:
    known = set(" ".join(FLAGS.values()).split())
    flags = {span.split()[0] for span in INLINE if span.startswith("--")}
    assert flags and flags <= known


@pytest.mark.parametrize("link", [*dict.fromkeys(LINKS)])
def test_links_exist(link: str) -> None:
    assert (ROOT / link).exists()


def test_paths_exist() -> None:
    spans = " ".join([*INLINE, *COMMANDS])
    paths = set(re.findall(r"(?:recipes|speechvq|tests|docs)/[\w./-]+", spans))
    assert paths and not [path for path in paths if not (ROOT / path).exists()]


def test_the_map_of_folders_is_correct() -> None:
    """All names in the left column of "Where things are" exist below their folders."""
    [tree] = [block for kind, block in FENCED if not kind]
    folder, found = ROOT, 0
    for line in tree.splitlines():
        indented = line.startswith(" ")
        left = re.split(r" {2,}", line.strip())[0]
        for name in left.split():
            path = (folder if indented else ROOT) / name
            assert path.exists() or path.with_suffix(".py").exists() or path.is_dir(), name
            found += 1
        if not indented:
            folder = ROOT / left
    assert found > 12


@pytest.mark.parametrize("path", [link for link in dict.fromkeys(LINKS) if link.endswith(".yaml")])
def test_configurations_match_the_table(path: str) -> None:
    config = configuration.load(ROOT / path, SpeechRun)
    row = next(line for line in README.splitlines() if f"({path})" in line and line.startswith("|"))
    _, _, codes, number, decoder, _ = (cell.strip() for cell in row.split("|"))
    assert codes == f"{config.model.frame_rate:g} per second ({config.model.hop}x)"
    assert int(number) == config.model.quantizer.num_codes
    assert config.model.wavenet == configuration.WAVENET_SIZES[decoder]


def test_named_settings_override_the_configuration() -> None:
    settings = [span.removeprefix("--set ") for span in INLINE if span.startswith("--set ")]
    assert settings
    configuration.load(configuration.find_config("vctk64"), SpeechRun, settings)


def test_named_extras_exist() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    assert all(
        re.search(rf"^{extra} = \[", project, re.MULTILINE)
        for extra in re.findall(r"(?:speechvq|\.)\[(\w+)\]", README)
    )


def run(line: str, more: list[str]) -> int:
    """Run a command of the README in this process; returns the exit code."""
    _, _, module, *arguments = words(line)
    return int(MAINS[module.removeprefix("speechvq.")].main([*arguments, *more]))


def record(folder: Path) -> None:
    """Write recordings of two speakers and a sentence to convert."""
    for i, speaker in enumerate(("ada", "bob")):
        for sentence in range(5):
            name = folder / "my_recordings" / speaker / f"{sentence}.wav"
            write_tone(name, samples=12_000 + 500 * i, rate=22_050, channels=2)
    write_tone(folder / "a.wav", samples=2_000)


def section(heading: str) -> list[str]:
    """The commands below a heading."""
    part = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [
        line for block in re.findall(r"^```bash\n(.*?)^```", part, re.M | re.S) for line in block.splitlines()
    ]


def test_the_commands_of_your_own_recordings_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands as written, with two training steps; then the Python block and the metric names."""
    monkeypatch.chdir(tmp_path)
    record(tmp_path)
    shrunk = [word for key, value in SHRUNK.items() for word in ("--set", f"{key}={value}")]
    for line in filter(is_ours, section("Your own recordings")):
        assert run(line, shrunk if "speechvq.train" in line else []) == command.SUCCESS, (
            capsys.readouterr().err
        )
    printed = capsys.readouterr().out
    assert "10 utterances, 2 speakers" in printed and "\nada " in printed and "\nbob " in printed
    assert (tmp_path / "exp/mine/report.html").is_file()
    assert len(read_waveform(tmp_path / "exp/mine/b.wav")) == 2_000 and names(tmp_path / "codes") == {
        "meta.json",
        "a.npy",
    }
    check_python(tmp_path)
    check_metric_names(tmp_path / "exp/mine/metrics.jsonl")


def check_python(folder: Path) -> None:
    """Run the Python block of the README beside docs/source.flac, with the bundled model."""
    [block] = [block for kind, block in FENCED if kind == "python"]
    (folder / "docs").mkdir()
    shutil.copy(ROOT / "docs/source.flac", folder / "docs")
    scope: dict[str, Any] = {}
    exec(block, scope)
    assert scope["converted"].shape == (64_000,) and scope["codes"].shape == (400,)
    assert all(np.array_equal(each, scope["codes"]) for each in scope["both"]) and len(scope["both"]) == 2
    assert scope["vectors"].shape == (400, 64) and scope["spectrogram"].shape == (400, 40)
    assert scope["resynthesis"].shape == (64_000,)
    assert scope["usage"].active_codes == len(set(scope["codes"].tolist()))
    assert isinstance(scope["layer"], torch.nn.Module) and scope["layer"].codebook.shape == (512, 64)


def check_metric_names(metrics: Path) -> None:
    """The metric names in the table occur in metrics.jsonl."""
    table = re.findall(
        r"^\| (`.*?) \|", README.split("Held-out measures of a run")[1].split("\n## ")[0], re.MULTILINE
    )
    metric_names = set(re.findall(r"`(\w+)`", " ".join(table)))
    assert len(metric_names) == 6 and all(f'"{name}"' in metrics.read_text() for name in metric_names)


def test_the_package_exports_few_names() -> None:
    assert len(speechvq.__all__) <= 12 and all(hasattr(speechvq, name) for name in speechvq.__all__)
    assert set(__main__.COMMANDS) == {*MAINS, "evaluate"} and callable(evaluate.main)


def test_all_data_files_of_the_package_are_installed() -> None:
    """Every file that is no Python matches a pattern of `package-data` in pyproject.toml."""
    table = (
        (ROOT / "pyproject.toml").read_text().split("[tool.setuptools.package-data]\n")[1].split("\n\n")[0]
    )
    found: set[Path] = set()
    for module, patterns in re.findall(r'^"([\w.]+)" = \[(.*)\]', table, re.MULTILINE):
        folder = ROOT / module.replace(".", "/")
        found |= {path for pattern in re.findall(r'"([^"]+)"', patterns) for path in folder.glob(pattern)}
    files = {
        path for path in (ROOT / "speechvq").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    assert {path for path in files if path.suffix not in (".py", ".pyc")} <= found


EVALUATIONS = re.findall(
    r"`((?:purity|baselines|codebook|speakers|abx|conversion|stages|alignments) --[^`]+)`|or `(--[^`]+)`",
    README,
)


@pytest.mark.parametrize(("row", "or_flags"), EVALUATIONS)
def test_the_evaluations_are_listed_with_all_flags_that_they_need(row: str, or_flags: str) -> None:
    subject, *given = words(row or f"conversion {or_flags}")
    PARSERS[f"evaluate {subject}"]().parse_args(given)


def test_all_evaluations_of_the_table_were_found() -> None:
    assert len(EVALUATIONS) == 9
