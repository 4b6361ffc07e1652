"""The generate command: its files, the seed, prompts, and one line for every mistake."""

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import speechvq
from cli.test_commands import PARSERS
from helpers.audio_files import INVALID_AUDIO, names, save_tiny_model, write_invalid_audio, write_tone
from helpers.tiny import SPEAKERS, WAVENET, speech_config
from helpers.tiny_prior import CONFIGS, prior_of
from speechvq import generate
from speechvq.audio.waveform import read_waveform
from speechvq.config import SequencePriorConfig
from speechvq.data.codes_directory import open_codes
from speechvq.data.manifest import read_manifest
from speechvq.priors.sequence.code_spec import CodeSpec
from speechvq.priors.sequence.model_directory import load_prior, save_prior
from speechvq.priors.sequence.prior import SequencePrior
from speechvq.speech import generation
from speechvq.speech.model_directory import find_speech_model

RATE = 2000.0  # codes per second of the tiny model: 8 samples per code


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("run"))


def make_prior(folder: Path, model: Path, config: SequencePriorConfig, **changes: object) -> Path:
    words = CodeSpec(8, RATE, speechvq.load(model).fingerprint())
    prior = prior_of(config, code_spec=dataclasses.replace(words, **changes))  # type: ignore[arg-type]
    save_prior(folder / "model", prior)
    return folder


@pytest.fixture(scope="module")
def prior(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_prior(tmp_path_factory.mktemp("prior"), model, CONFIGS["wavenet"])


@pytest.fixture(scope="module")
def conditional_prior(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prior that is conditioned on the speaker, ada or bob."""
    return make_prior(tmp_path_factory.mktemp("conditional_prior"), model, CONFIGS["gru conditioned"])


def run(model: Path, prior: Path, out: Path, *arguments: object) -> int:
    given = ["--model", model, "--prior", prior, "--out", out, "--seconds", "0.05", *arguments]
    return generate.main([str(each) for each in given])


def test_audio_codes_manifest_and_figure_are_written(
    model: Path, prior: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ünï out"
    assert run(model, prior, out, "--speaker", "bob, cyd", "--count", 3) == 0
    samples = ["bob_0", "cyd_1", "bob_2"]
    assert names(out) == {
        "generated.png", "manifest.tsv", "codes/meta.json",
        *(f"{name}.wav" for name in samples), *(f"codes/{name}.npy" for name in samples),
    }  # fmt: skip
    assert capsys.readouterr().out.split("\n")[:4] == [str(out / f"{name}.wav") for name in samples] + [
        str(out / "generated.png")
    ]
    codes, loaded = open_codes(out / "codes"), speechvq.load(model)
    assert (codes.num_codes, codes.frame_rate_hz, codes.codebook) == (8, RATE, loaded.fingerprint())
    for name in samples:
        assert codes.read(name).shape == (100,) and len(read_waveform(out / f"{name}.wav")) == 800
    listed = read_manifest(out)
    assert {(u.utt, u.speaker, u.split) for u in listed} == {
        (name, name[:3], "generated") for name in samples
    }
    decoded = loaded.decode([codes.read("cyd_1")], ["cyd"])[0]
    assert np.allclose(decoded, read_waveform(out / "cyd_1.wav"), atol=1e-4)


@pytest.fixture
def no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figure takes a second, and is plotted in the test above."""
    monkeypatch.setattr(generate, "plot_generation", lambda *_, **__: None)


@pytest.mark.usefixtures("no_figure")
def test_the_seed_determines_the_samples(model: Path, prior: Path, tmp_path: Path) -> None:
    for name, seed, count in (("a", 1, 2), ("b", 1, 5), ("c", 2, 2)):
        assert run(model, prior, tmp_path / name, "--seed", seed, "--count", count, "--speaker", "ada") == 0
    first, more, other = (open_codes(tmp_path / name / "codes") for name in "abc")
    assert np.array_equal(first.read("ada_1"), more.read("ada_1"))
    assert not np.array_equal(first.read("ada_1"), other.read("ada_1"))
    assert np.array_equal(read_waveform(tmp_path / "a/ada_0.wav"), read_waveform(tmp_path / "b/ada_0.wav"))


def test_speakers_are_drawn_without_repetition_first(
    model: Path, prior: Path, conditional_prior: Path
) -> None:
    loaded = speechvq.load(model)
    for which, known in ((prior, set(SPEAKERS)), (conditional_prior, {"ada", "bob"})):
        drawn = [
            generation.choose_speakers("", 2 * len(known) + 1, loaded, load_prior(which), seed)
            for seed in range(6)
        ]
        for voices in drawn:
            assert set(voices[: len(known)]) == known and len(voices) == 2 * len(known) + 1
        assert len(set(map(tuple, drawn))) > 1
    assert generation.choose_speakers("cyd,ada", 3, loaded, load_prior(prior), 0) == ["cyd", "ada", "cyd"]


@pytest.mark.usefixtures("no_figure")
def test_a_prompt_is_continued(model: Path, conditional_prior: Path, tmp_path: Path) -> None:
    prompt = write_tone(tmp_path / "a.wav", samples=1_601)
    assert run(model, conditional_prior, tmp_path / "out", "--prompt", prompt, "--count", 2) == 0
    expected, codes = speechvq.load(model).encode(read_waveform(prompt)), open_codes(tmp_path / "out/codes")
    for name in codes.files:
        assert np.array_equal(codes.read(name)[:201], expected) and len(codes.read(name)) == 301
        assert len(read_waveform(tmp_path / f"out/{name}.wav")) == 301 * 8


def test_the_f0_is_the_prompts_and_then_the_speakers_mean() -> None:
    config = speech_config(wavenet=dataclasses.replace(WAVENET, condition_on_f0=True))
    model = speechvq.SpeechVQ(config, SPEAKERS).eval()
    model.speaker_f0.copy_(model.speaker_f0.new_tensor([100.0, 200.0, 0.0]))
    prompt = generation.Prompt(np.zeros(200, np.int64), np.array([110.0] * 5 + [0.0] * 6, np.float32))
    silence = np.zeros(400, np.int64)
    f0 = generation.continued_f0(model, silence, "bob", prompt)
    assert np.allclose(f0[:5], 200) and not f0[5:10].any() and (f0[10:] == 200).all()
    assert len(f0) * 160 >= 400 * 8
    nothing = generation.Prompt(np.empty(0, np.int64), np.empty(0, np.float32))
    assert not generation.continued_f0(model, silence, "cyd", nothing).any()
    wave = model.decode([silence], ["bob"], f0=[generation.continued_f0(model, silence, "bob", nothing)])
    assert np.array_equal(wave[0], model.decode([silence], ["bob"])[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frame_rate_hz": 1000.0}, "the model has 2000 codes per second, not 1000"),
        ({"codebook": "0" * 16}, "not 0000000000000000"),
        ({"codebook": ""}, "not unknown"),
        ({"num_codes": 9}, "the model has 8 codes, not 9"),
    ],
)
def test_a_prior_of_other_codes_is_refused(
    change: dict[str, object], message: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_prior(tmp_path / "other", model, CONFIGS["wavenet"], **change)
    assert run(model, other, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert (
        message in error
        and "is no prior of" in error
        and error.count("\n") == 1
        and not (tmp_path / "out").exists()
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seconds", "0"], "--seconds 0: give more than 0"),
        (["--seconds", "nan"], "--seconds nan: give more than 0"),
        (["--seconds", "1e9"], "at most 600"),
        (["--count", "0"], "--count 0: give 1 to 10000"),
        (["--seed", "-1"], "--seed -1"),
        (["--temperature", "-1"], "--temperature -1.0: give 0 to 100"),
        (["--sound-temperature", "nan"], "--sound-temperature nan: give 0 to 100"),
        (["--top-p", "0"], "--top-p 0.0: give more than 0, at most 1"),
        (["--speaker", "zoe"], "unknown speaker 'zoe'"),
        (["--speaker", ","], "--speaker"),
        (["--prompt", "nowhere.wav"], "nowhere.wav: no such file"),
    ],
)
def test_mistakes_cost_one_line(
    arguments: list[str],
    message: str,
    model: Path,
    prior: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(model, prior, tmp_path / "out", *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("speechvq.generate: error: ") and message in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_folders_without_a_model_or_prior(
    model: Path, prior: Path, conditional_prior: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for one, other, message in (
        (tmp_path, prior, "no model here"),
        (model, tmp_path, "no model here"),
        (model, model, "no prior over code sequences"),
    ):
        assert run(one, other, tmp_path / "out") == 2
        assert message in capsys.readouterr().err
    assert run(model, conditional_prior, tmp_path / "out", "--speaker", "cyd") == 2
    assert "--speaker cyd: the prior does not know this speaker" in capsys.readouterr().err
    unrelated = SequencePrior(
        CONFIGS["gru conditioned"], CodeSpec(8, RATE, speechvq.load(model).fingerprint()), ("x", "y")
    )
    save_prior(tmp_path / "unrelated/model", unrelated)
    assert run(model, tmp_path / "unrelated", tmp_path / "out") == 2
    assert "knows none of the model's speakers" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["text.wav", "empty.wav", "nan.wav", "folder.wav"])
def test_an_unreadable_prompt(
    name: str, model: Path, prior: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, prior, tmp_path / "out", "--prompt", write_invalid_audio(tmp_path, name)) == 2
    error = capsys.readouterr().err
    assert INVALID_AUDIO[name] in error and error.count("\n") == 1


def test_an_output_folder_that_cannot_be_made(
    model: Path, prior: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert run(model, prior, tmp_path / "file/out") == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["prior", "prior/model", "model/prior"])
@pytest.mark.usefixtures("no_figure")
def test_the_prior_of_the_model_is_the_default(model: Path, prior: Path, tmp_path: Path, place: str) -> None:
    """It lies in the folder `prior` of the run or of the model directory."""
    shutil.copytree(find_speech_model(model), tmp_path / "run/model")
    shutil.copytree(prior / "model", tmp_path / "run" / place)
    given = ["--seconds", "0.05", "--count", "1", "--speaker", "ada"]
    out = [str(tmp_path / name) for name in ("default", "named")]
    assert generate.main(["--model", str(tmp_path / "run"), "--out", out[0], *given]) == 0
    assert generate.main(["--model", str(model), "--prior", str(prior), "--out", out[1], *given]) == 0
    assert np.array_equal(*(open_codes(Path(each) / "codes").read("ada_0") for each in out))


def test_a_prior_saved_as_float16(model: Path, tmp_path: Path) -> None:
    folder = make_prior(tmp_path / "full", model, CONFIGS["gru conditioned"])
    whole = load_prior(folder)
    save_prior(tmp_path / "half", whole, half=True)
    sizes = [(place / "model.safetensors").stat().st_size for place in (folder / "model", tmp_path / "half")]
    halved = load_prior(tmp_path / "half")
    assert sizes[1] < 0.75 * sizes[0]  # the rest is the header
    for name, tensor in halved.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, whole.state_dict()[name].half().float())


def test_without_a_prior_the_commands_that_make_one_are_named(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main(["--model", str(model), "--out", str(tmp_path / "out")]) == 2
    line = capsys.readouterr().err
    assert (
        line.count("\n") == 1
        and f"--prior is missing, and {model} has none. To make a small one in a minute" in line
    )
    for name, command in re.findall(r"python -m speechvq\.(\w+) (.*?)(?: &&|;)", line):
        PARSERS[name]().parse_args(command.split())
