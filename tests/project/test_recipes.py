"""The recipes: valid scripts and flags, creation of the environment, and the checks of the mini recipe."""

import importlib.util
import itertools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cli.test_commands import FLAGS
from helpers.tiny import ROOT
from speechvq import config as configuration
from speechvq.config import SpeechRun
from speechvq.training.tasks.speech import check

BASH = str(shutil.which("bash"))
SCRIPTS = sorted([*ROOT.glob("recipes/**/*.sh"), *ROOT.glob("tests/**/*.sh")])
RUNS = sorted(ROOT.glob("recipes/*/run.sh"))
COMMAND = re.compile(r"python -m speechvq\.(evaluate \w+|\w+)(.*)")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("script", SCRIPTS, ids=named)
def test_scripts_are_valid_bash(script: Path) -> None:
    done = subprocess.run([BASH, "-n", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("script", RUNS, ids=named)
def test_flags_of_commands_exist(script: Path) -> None:
    text = script.read_text().replace("\\\n", " ")
    found = [match.groups() for match in map(COMMAND.search, text.splitlines()) if match]
    for name, rest in found:
        assert set(re.findall(r"--[a-z-]+", rest)) <= set(FLAGS[name].split()), f"{script}: {name}"
    names = {name for name, _ in found}
    # The benchmark runs its own scripts.
    speech, images = {"train", "encode", "convert"}, {"train", "evaluate likelihood", "draw"}
    video = {"train", "evaluate rollout", "imagine"}
    assert any(required <= names for required in (speech, images, video)) or (
        not names and script.parent.name == "benchmark"
    )


@pytest.mark.parametrize("script", RUNS, ids=named)
def test_the_head_comment_lists_all_flags(script: Path) -> None:
    text = script.read_text()
    head = "".join(itertools.takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True)))
    known = re.search(r'^parse_flags "([^"]*)"', text, re.MULTILINE)
    assert known
    flags = {f"--{word.split('=')[0]}" for word in known[1].split()} | {"--stage", "--stop-stage"}
    assert set(re.findall(r"--[a-z-]+", head)) == flags


@pytest.mark.parametrize("path", sorted(ROOT.glob("speechvq/configs/*.yaml")), ids=named)
def test_every_configuration_is_valid(path: Path) -> None:
    config = configuration.read_run(path)
    if isinstance(config, SpeechRun):
        check(config)


def shell(script: str, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script after sourcing common.sh; VIRTUAL_ENV is unset unless given."""
    variables = {"PATH": os.environ["PATH"]} | environment
    command = [BASH, "-c", f". '{ROOT}/recipes/common.sh'\n{script}", "recipe", *arguments]
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=20)


FLAGS_AND_STAGES = """
exp=exp/mini steps=""
parse_flags "exp=exp steps=steps" "$@"
for number in 1 2 3 4; do
    if stage $number "work $number"; then echo "$exp $steps"; fi
done
"""


@pytest.mark.parametrize(
    ("arguments", "stages"),
    [
        ("", "1234"),
        ("--stage 3", "34"),
        ("--stop-stage 2", "12"),
        ("--stage 2 --stop-stage 3", "23"),
        ("--stage 4 --stop-stage 1", ""),
    ],
)
def test_stages_can_be_selected(arguments: str, stages: str, tmp_path: Path) -> None:
    done = shell(FLAGS_AND_STAGES, *arguments.split(), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "".join(f"== stage {i}: work {i}\nexp/mini \n" for i in stages)


def test_flag_values_with_spaces_are_kept(tmp_path: Path) -> None:
    done = shell(
        FLAGS_AND_STAGES, "--exp", "a folder; $(touch x)", "--steps", "7", "--stage", "4", cwd=tmp_path
    )
    assert done.stdout.endswith("\na folder; $(touch x) 7\n") and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["--cake", "1"],
            "missing value: --cake; known: --stage N --stop-stage N --exp VALUE --steps VALUE",
        ),
        (["--exp"], "unknown flag or missing value: --exp; known: --stage N"),
        (["exp", "x"], "unknown flag or missing value: exp;"),
        (["--stage", "two"], "--stage two, --stop-stage 99: give whole numbers"),
        (["--stop-stage", ""], "--stop-stage : give whole numbers"),
    ],
)
def test_wrong_flags_exit_with_2(arguments: list[str], line: str, tmp_path: Path) -> None:
    done = shell(FLAGS_AND_STAGES, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert line in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("script", [*RUNS, *ROOT.glob("tests/**/run.sh")], ids=named)
def test_help_prints_the_head_comment_and_installs_nothing(script: Path, tmp_path: Path) -> None:
    environment(tmp_path)
    stubs = stub(tmp_path / "venv/bin/python", f'echo "$*" >>"{tmp_path}/calls"')
    variables = {"VIRTUAL_ENV": str(tmp_path / "venv"), "PATH": f"{stubs}:{os.environ['PATH']}"}
    for path, cwd in ((script, tmp_path), (script.relative_to(ROOT), ROOT)):
        done = subprocess.run(
            [BASH, path, "--help"], cwd=cwd, env=variables, capture_output=True, text=True, timeout=20
        )
        assert (done.returncode, done.stderr) == (0, "") and not calls(tmp_path)
        text = script.read_text()
        assert ("A stage is a part of this script" in done.stdout) == ("parse_flags" in text)
        assert f"bash {named(script)}" in done.stdout and "#!" not in done.stdout and "cd " not in done.stdout


def stub(path: Path, script: str) -> Path:
    """Write a stub program and return its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{BASH}\n{script}\n")
    path.chmod(0o755)
    return path.parent


def test_a_missing_python_version_is_reported(tmp_path: Path) -> None:
    stubs = stub(tmp_path / "bin/python3", "exit 1")
    stub(stubs / "python3.12", "exit 1")
    done = shell("find_python -m venv x; echo on", cwd=tmp_path, PATH=str(stubs))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "no Python 3.10 to 3.13 found\n"


def test_the_first_supported_python_is_used(tmp_path: Path) -> None:
    stubs = stub(tmp_path / "bin/python3", "exit 1")  # too old
    for name in ("python3.12", "python3.11"):
        stub(stubs / name, f'[ "$1" = -c ] || echo {name} "$@"')
    assert shell("find_python -m venv x", cwd=tmp_path, PATH=str(stubs)).stdout == "python3.12 -m venv x\n"


def environment(folder: Path, script: str = "") -> dict[str, str]:
    """An active virtual environment whose python logs its arguments."""
    folder.joinpath("pyproject.toml").write_text("[project]\n")
    bin_folder = stub(folder / "venv/bin/python", f'echo "$*" >>"{folder}/calls"\n{script}')
    return {"VIRTUAL_ENV": str(folder / "venv"), "PATH": f"{bin_folder}:{os.environ['PATH']}"}


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines() if (folder / "calls").exists() else []


def vctk_recipe(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run stages 1 to 5 with a python that only logs its arguments."""
    rows = ["utt speaker split seconds path", "a_1 ann test 1 a.flac", "b_1 ben unseen 1 b.flac"]
    (folder / "data/lab").mkdir(parents=True)
    (folder / "data/manifest.tsv").write_text("".join(row.replace(" ", "\t") + "\n" for row in rows))
    (folder / "exp").mkdir()
    command = [BASH, str(ROOT / "recipes/vctk/run.sh"), "--corpus", "c", "--stop-stage", "5", *arguments]
    command += ["--data", str(folder / "data"), "--exp", str(folder / "exp")]
    return subprocess.run(
        command, env=environment(folder, script), capture_output=True, text=True, timeout=20
    )


LIST_SPEAKERS = 'case "$*" in *--list-speakers*) echo {};; esac'


def test_unseen_speakers_are_scored_separately(tmp_path: Path) -> None:
    done = vctk_recipe(tmp_path, LIST_SPEAKERS.format("ann"), "--unseen", "ben")
    assert (done.returncode, done.stderr) == (0, "")
    commands = [line.removeprefix("-m speechvq.") for line in calls(tmp_path)]
    assert commands[1].startswith("prepare folder") and commands[1].endswith("--unseen-speakers ben,")
    assert sum(line.startswith("align") for line in commands) == 0  # the corpus has phone labels
    for split, codes, names in (("test", "codes", ""), ("unseen", "unseen_codes", "_unseen")):
        scored = [line for line in commands if f"--codes {tmp_path}/exp/{codes} " in line]
        assert [line.split()[1] for line in scored] == ["purity", "baselines", "abx"]
        assert all(f"{names}.json" in line for line in scored)
        assert all(f"--split {split}" in line for line in scored[1:])
        encoded = f"encode --model {tmp_path}/exp --src {tmp_path}/data --split {split} "
        encoded += f"--out {tmp_path}/exp/{codes}"
        assert encoded in commands


def test_a_model_trained_on_unseen_speakers_is_refused(tmp_path: Path) -> None:
    done = vctk_recipe(tmp_path, LIST_SPEAKERS.format("ann; echo ben"), "--unseen", "ben")
    assert done.returncode == 2 and "was trained on ben; give another --exp" in done.stderr


def test_unseen_requires_data_prepared_with_unseen(tmp_path: Path) -> None:
    done = vctk_recipe(
        tmp_path, f"sed -i /unseen/d {tmp_path}/data/manifest.tsv", "--unseen", "ben", "--stage", "2"
    )
    assert done.returncode == 2 and "was prepared without --unseen; start from stage 1" in done.stderr


def test_setup_installs_once(tmp_path: Path) -> None:
    variables = environment(tmp_path)
    pip = (
        "-m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat --editable"
    )
    first = shell("setup mini; echo on", cwd=tmp_path, **variables)
    assert first.stdout.startswith("installing speechvq[mini] into ") and first.stdout.endswith("\non\n")
    assert shell("setup mini; echo on", cwd=tmp_path, **variables).stdout == "on\n"
    assert calls(tmp_path) == [f"{pip} .[mini]"]
    shell('setup ""', cwd=tmp_path, **variables)
    tmp_path.joinpath("pyproject.toml").write_text("[project]\nname = 'new'\n")
    shell("setup mini", cwd=tmp_path, **variables)
    assert calls(tmp_path) == [f"{pip} .[mini]", f"{pip} .", f"{pip} .[mini]"]


def test_a_failed_installation_is_repeated(tmp_path: Path) -> None:
    variables = environment(tmp_path, "exit 1")
    for tried in (1, 2):
        done = shell("setup mini; echo on", cwd=tmp_path, **variables)
        assert done.returncode == 1 and "\non" not in done.stdout and len(calls(tmp_path)) == tried


def test_without_venv_the_remedy_is_named(tmp_path: Path) -> None:
    environment(tmp_path)
    stubs = stub(tmp_path / "bin/python3", '[ "$1" = -c ] || exit 1')
    done = shell("setup mini; echo on", cwd=tmp_path, PATH=f"{stubs}:{os.environ['PATH']}")
    assert (done.returncode, done.stdout) == (2, "") and "apt-get install python3-venv" in done.stderr


def mini_recipe(folder: Path, *arguments: str) -> str:
    """Output of the recipe's second stage with a python that only logs its arguments."""
    command = [BASH, str(ROOT / "recipes/mini/run.sh"), "--stage", "2", "--stop-stage", "2", *arguments]
    done = subprocess.run(command, env=environment(folder), capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_mini_recipe_first_says_how_long_it_takes(tmp_path: Path) -> None:
    first = mini_recipe(tmp_path).splitlines()[0]
    assert first.startswith("This takes a quarter of an hour on two cores. A short form")
    short = first.split("bash recipes/mini/run.sh ")[1].split()
    assert "quarter" not in mini_recipe(tmp_path, *short) and "train.steps=40" in calls(tmp_path)[-1]


def video_recipe(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the recipe with a python that only logs its arguments."""
    command = [BASH, str(ROOT / "recipes/video/run.sh"), "--exp", str(folder / "exp"), *arguments]
    return subprocess.run(command, env=environment(folder), capture_output=True, text=True, timeout=20)


def test_the_video_recipe_trains_three_priors_with_equal_settings(tmp_path: Path) -> None:
    done = video_recipe(tmp_path, "--schedule", "brief", "--episodes", "22", "--data", "d")
    assert (done.returncode, done.stderr) == (0, "")
    commands = [line.removeprefix("-m speechvq.") for line in calls(tmp_path)]
    assert commands[1:3] == [
        "prepare maze --out d --episodes 22 --frames 100",
        "prepare frames --root d --out d/frames",
    ]
    first, prior, *others = (line for line in commands if line.startswith("train"))
    assert "train.steps=6" in first and first.endswith("--set data.root=d/frames")
    prior = prior.replace("/prior ", "/NAME ")
    no_action = "--set model.actions=false"
    assert others[0] == f"{prior.replace('NAME', 'no_action')} {no_action}"
    no_past = f"{no_action} --set model.context_frames=0 --set model.motion.depth_features=0"
    assert others[1] == f"{prior.replace('NAME', 'no_past')} {no_past}"
    assert (
        sum(line.startswith("imagine") for line in commands) == 3 and (tmp_path / "exp/rollout.txt").exists()
    )


@pytest.mark.parametrize(
    ("arguments", "line"), [("--world mars", "give maze or doom"), ("--schedule long", "give full or brief")]
)
def test_the_video_recipe_refuses_unknown_values(arguments: str, line: str, tmp_path: Path) -> None:
    done = video_recipe(tmp_path, *arguments.split())
    assert (done.returncode, calls(tmp_path)) == (2, []) and line in done.stderr


def test_the_video_recipe_installs_doom_for_doom_only(tmp_path: Path) -> None:
    assert video_recipe(tmp_path, "--world", "doom", "--stop-stage", "1").returncode == 0
    assert calls(tmp_path)[0].endswith(".[doom]") and "prepare doom --out data/doom" in calls(tmp_path)[1]


def cifar10_recipe(folder: Path, *arguments: str) -> list[str]:
    """Run the recipe with a python that only logs its arguments; returns these without -m speechvq."""
    command = [BASH, str(ROOT / "recipes/cifar10/run.sh"), "--exp", str(folder / "exp"), *arguments]
    done = subprocess.run(
        command, env=environment(folder), capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stderr == ""
    return [line.removeprefix("-m speechvq.") for line in calls(folder)]


def test_the_small_schedule_trains_three_models_and_a_prior_on_pictures(tmp_path: Path) -> None:
    (tmp_path / "c/train/airplane").mkdir(parents=True)
    lines = cifar10_recipe(tmp_path, "--corpus", str(tmp_path / "c"), "--schedule", "small", "--data", "d")
    assert lines[1] == f"prepare cifar10 --root {tmp_path / 'c'} --out d"  # nothing is downloaded
    runs = {line.split()[4].rpartition("/")[2]: line for line in lines if line.startswith("train")}
    assert list(runs) == ["vae", "vqvae", "vimco", "prior"]
    for name in ("vae", "vqvae", "vimco"):
        assert "model.autoencoder.channels=64" in runs[name] and "data.root=d" in runs[name]
        assert ("model.quantizer.codebook=ema" in runs[name]) == (name == "vqvae")
    assert sum(line.startswith("evaluate likelihood") for line in lines) == 3


@pytest.mark.parametrize(("inside", "downloads"), [("", True), ("cifar-10-batches-bin", False)])
def test_cifar10_is_downloaded_where_it_is_missing(inside: str, downloads: bool, tmp_path: Path) -> None:
    (tmp_path / "c" / inside).mkdir(parents=True)
    if inside:
        (tmp_path / "c" / inside / "test_batch.bin").touch()
    lines = cifar10_recipe(
        tmp_path, "--corpus", str(tmp_path / "c"), "--stop-stage", "1", "--schedule", "slice"
    )
    assert lines[1].endswith(" --download") == downloads


def check_results() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_results", ROOT / "recipes/mini/check_results.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def conversion(converted: float | None, **changes: Any) -> dict[str, Any]:
    """A row of a conversion from a speaker at 100 Hz to a speaker at 200 Hz."""
    row = {"source": "m01", "target": "f03", "source_f0_hz": 100.0, "target_speaker_f0_hz": 200.0}
    return row | {"converted_f0_hz": converted} | changes


def run_check(
    folder: Path, monkeypatch: pytest.MonkeyPatch, gap: float, conversions: list[dict[str, Any]], *flags: str
) -> int:
    lines = [{"step": 1, "heldout_bits": 6.0, "codes_gap_bits": 9.9}, {"step": 2, "nats": 1.0}]
    lines += [{"step": 2, "heldout_bits": 4.0, "codes_gap_bits": gap}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "conversion.json").write_text(
        json.dumps({"voices": 2, "conversions": conversions, "summary": {}})
    )
    monkeypatch.setattr("sys.argv", ["check_results.py", str(folder), *flags])
    return int(check_results().main())


@pytest.mark.parametrize(
    ("gap", "conversions", "code"),
    [
        (0.5, [conversion(190.0), conversion(210.0), conversion(90.0)], 0),  # the median counts
        (0.2, [conversion(190.0)], 1),  # the decoder hardly uses the codes
        (0.5, [conversion(110.0), conversion(190.0), conversion(100.0)], 1),  # keeps the source's F0
        (
            0.5,
            [conversion(190.0), conversion(300.0, target="m05", target_speaker_f0_hz=90.0)],
            1,
        ),  # one of two speakers fails
        (0.5, [conversion(None)], 1),  # no conversion is voiced
        (
            0.5,
            [conversion(190.0), conversion(None), conversion(190.0, source_f0_hz=None)],
            0,
        ),  # some have no F0
        (
            0.5,
            [conversion(190.0), conversion(100.0, source="f03")],
            0,
        ),  # a conversion to the source speaker is not counted
    ],
)
def test_results_are_checked(
    gap: float,
    conversions: list[dict[str, Any]],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_check(tmp_path, monkeypatch, gap, conversions) == code
    printed = capsys.readouterr().out
    assert f"held-out  4.000 bits per sample, codes gap {gap:.3f} bits" in printed and (
        "NO " in printed
    ) == bool(code)


def test_a_shortened_run_is_not_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_check(tmp_path, monkeypatch, 0.0, [conversion(None)], "--short") == 0
    assert "codes gap over" not in capsys.readouterr().out


def test_the_default_targets_have_the_most_training_speech(tmp_path: Path) -> None:
    rows = ["utt speaker split seconds path", "1 ann train 2 a", "2 ann train 2 a", "3 ben train 3 b"]
    rows += ["4 cyd test 9 c", "5 dan train 1 d"]
    (tmp_path / "m.tsv").write_text("".join(row.replace(" ", "\t") + "\n" for row in rows))
    assert shell("most_speech m.tsv 2", cwd=tmp_path).stdout == "ann,ben\n"


@pytest.mark.parametrize(
    ("arguments", "warned"), [("'' ''", True), ("4 ''", False), ("'' cuda:0", False), ("'' cpu", True)]
)
def test_a_full_schedule_without_a_gpu_is_warned_of(arguments: str, warned: bool, tmp_path: Path) -> None:
    script = f"warn_without_gpu {arguments} 'it takes days.' '--schedule slice'"
    hidden = f"command() {{ return 1; }}\n{script}"  # no nvidia-smi
    done = shell(hidden, cwd=tmp_path)
    line = "warning: no GPU found; it takes days. Shorter: --schedule slice\n"
    assert (done.returncode, done.stderr) == (0, line if warned else "")


@pytest.mark.parametrize("recipe", ["cifar10", "frames"])
def test_recipes_for_a_gpu_name_the_short_schedule(recipe: str) -> None:
    assert "warn_without_gpu" in (ROOT / f"recipes/{recipe}/run.sh").read_text()
