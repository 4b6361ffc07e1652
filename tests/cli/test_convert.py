"""The convert command: output paths, length and level of the result, and one line for every mistake."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import speechvq
from helpers.audio_files import (
    INVALID_AUDIO,
    names,
    save_tiny_model,
    write_invalid_audio,
    write_samples,
    write_tone,
)
from helpers.tiny import SPEAKERS, WAVENET, python, speech_config
from speechvq import convert
from speechvq.audio.waveform import SAMPLE_RATE, read_waveform
from speechvq.cli.sources import Source
from speechvq.config import EncoderConfig, SourceFilterConfig
from speechvq.io.journal import Inputs
from speechvq.speech.model_directory import find_speech_model, save_model
from speechvq.speech.sampling import overlap_add
from speechvq.speech.speakers.speaker_facts import SpeakerFacts, save_speaker_facts
from speechvq.speech.speakers.voice_file import Voice, save_voice


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("run"))


def run(model: Path, *arguments: str | Path) -> int:
    return convert.main(["--model", str(model), *map(str, arguments)])


def rms(wave: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(wave, dtype=np.float64))))


def test_the_names_of_the_speakers_are_listed(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model, "--list-speakers", "--names") == 0
    assert tuple(capsys.readouterr().out.split()) == SPEAKERS


def test_the_table_of_speakers_has_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    place = find_speech_model(save_tiny_model(tmp_path / "run"))
    assert run(place, "--list-speakers") == 0
    assert "DNSMOS:" not in (printed := capsys.readouterr().out) and "enrolled" not in printed
    save_speaker_facts(place, {"ada": SpeakerFacts("F", 12.34, 2.5), "bob": SpeakerFacts("", 1.0)})
    model = speechvq.load(place)
    width = model.config.wavenet.speaker_dim
    save_voice(tmp_path / "me.safetensors", Voice(torch.zeros(width), 123.4), model)
    (tmp_path / "other.safetensors").write_bytes(b"of another program")
    assert run(place, "--list-speakers") == 0
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    assert rows["ada"][:2] == ["F", "12.3"] and rows["ada"][3:] == ["2.50"]
    assert rows["bob"][:2] == ["-", "1.0"] and rows["bob"][3:] == ["-", "little", "speech"]
    assert rows["cyd"][:2] == ["-", "-"] and rows["me"] == ["-", "-", "123", "-", "enrolled"]
    assert {"DNSMOS:", "little", "enrolled:"} <= set(rows) and "other" not in rows


def test_without_out_each_target_gets_a_file_here(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tone(tmp_path / "in/a.wav", samples=2_000)
    assert run(model, "--src", "in/a.wav", "--target-speaker", "bob,cyd") == 0
    assert run(model, "--src", "in/a.wav", "--target-speaker", "ada") == 0
    assert names(tmp_path) == {"in/a.wav", "a_ada.wav", "a_bob.wav", "a_cyd.wav"}


def test_damaged_facts_of_speakers_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = find_speech_model(save_tiny_model(tmp_path / "run"))
    for content in ("[", "[]", '{"ada": 3}', '{"ada": {"minutes": "many"}}', '{"ada": {"minutes": NaN}}'):
        (place / "speakers.json").write_text(content)
        assert run(place, "--list-speakers") == 2
        assert "speakers.json: damaged; remove it, or write it again" in capsys.readouterr().err


def test_length_and_level_are_those_of_the_source(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = write_tone(tmp_path / "ä b.wav"), tmp_path / "new föl der/b.wav"
    assert run(model, "--src", source, "--target-speaker", "bob", "--out", out) == 0
    assert capsys.readouterr().out == f"{out}\n" and names(out.parent) == {"b.wav"}
    wave, before = read_waveform(out), read_waveform(source)
    assert len(wave) == len(before) and 0.5 * rms(before) < rms(wave) < 1.05 * rms(before)
    assert np.abs(wave).max() <= 1


def test_python_converts_as_the_command_does(model: Path, tmp_path: Path) -> None:
    source = write_tone(tmp_path / "a.wav")
    run(model, "--src", source, "--target-speaker", "cyd", "--out", tmp_path / "b.wav")
    wave = speechvq.load(model).convert(read_waveform(source), "cyd")
    assert wave.dtype == np.float32 and np.allclose(wave, read_waveform(tmp_path / "b.wav"), atol=1e-4)


def test_the_seed_determines_the_result(model: Path, tmp_path: Path) -> None:
    source = write_tone(tmp_path / "a.wav", samples=400)
    for name, seed in ("a1", "b1", "c2"):
        out = tmp_path / f"out/{name}.wav"
        assert run(model, "--src", source, "--target-speaker", "bob", "--out", out, "--seed", seed) == 0
    first, again, other = (read_waveform(tmp_path / f"out/{name}.wav") for name in "abc")
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize("samples", [np.zeros(1_000), np.ones(1), np.zeros(1)])
def test_silence_and_single_samples(samples: np.ndarray, model: Path, tmp_path: Path) -> None:
    source = write_samples(tmp_path / "a.wav", samples)
    assert run(model, "--src", source, "--target-speaker", "ada", "--out", tmp_path / "b.wav") == 0
    wave = read_waveform(tmp_path / "b.wav")
    assert wave.shape == samples.shape and bool(wave.any()) <= bool(samples.any())


@pytest.mark.parametrize("samples", [0, 1, 7, 1_000])
def test_a_decoder_with_f0_accepts_short_recordings(samples: int) -> None:
    wavenet = dataclasses.replace(WAVENET, condition_on_f0=True, condition_on_phase=True)
    source = SourceFilterConfig(filter_order=4, num_harmonics=3, channels=8)
    model = speechvq.SpeechVQ(speech_config(wavenet=wavenet, source_filter=source), SPEAKERS).eval()
    for wave in (np.zeros(samples, np.float32), np.ones(samples, np.float32)):
        assert model.convert(wave, "bob").shape == wave.shape


def test_stereo_at_another_rate_keeps_its_duration(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_tone(tmp_path / "a.wav", samples=4_800, rate=48_000, channels=2)
    assert run(model, "--src", source, "--target-speaker", "ada", "--out", tmp_path / "b.wav") == 0
    assert "2 channels at 48000 Hz, down-mixed and resampled to 16000 Hz" in capsys.readouterr().err
    assert len(read_waveform(tmp_path / "b.wav")) == 1_600


def test_the_default_output_path(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tone(tmp_path / "in/a.wav", samples=100)
    monkeypatch.chdir(tmp_path)
    assert run(model, "--src", "in/a.wav", "--target-speaker", "bob") == 0
    assert names(tmp_path) == {"in/a.wav", "a_bob.wav"}


def test_several_recordings_go_to_a_folder_per_speaker(model: Path, tmp_path: Path) -> None:
    for name in ("a.wav", "sub ü/b.flac"):
        write_tone(tmp_path / "in" / name, samples=100)
    assert (
        run(model, "--src", tmp_path / "in", "--target-speaker", "bob, ada", "--out", tmp_path / "out") == 0
    )
    assert names(tmp_path / "out") == {
        f"{voice}/{name}.wav" for voice in ("ada", "bob") for name in ("a", "sub ü/b")
    }


def test_two_targets_or_an_existing_folder(model: Path, tmp_path: Path) -> None:
    source = write_tone(tmp_path / "a.wav", samples=100)
    assert run(model, "--src", source, "--target-speaker", "bob,cyd", "--out", tmp_path / "two") == 0
    assert names(tmp_path / "two") == {"bob/a.wav", "cyd/a.wav"}
    (tmp_path / "there").mkdir()
    assert run(model, "--src", source, "--target-speaker", "bob", "--out", tmp_path / "there") == 0
    assert names(tmp_path / "there") == {"bob/a.wav"}


def test_split_and_limit_of_a_manifest(model: Path, corpus: Path, tmp_path: Path) -> None:
    arguments = (
        "--src",
        corpus,
        "--target-speaker",
        "cyd",
        "--split",
        "dev",
        "--limit",
        "2",
        "--out",
        tmp_path,
    )
    assert run(model, *arguments) == 0
    assert names(tmp_path) == {"cyd/ada_4.wav", "cyd/cyd_4.wav"}


def test_a_conversion_does_not_depend_on_its_batch(model: Path, corpus: Path, tmp_path: Path) -> None:
    run(model, "--src", corpus, "--target-speaker", "cyd", "--split", "dev", "--out", tmp_path)
    source = corpus / "audio/bob_4.flac"
    run(model, "--src", source, "--target-speaker", "cyd", "--out", tmp_path / "alone.wav")
    assert np.array_equal(read_waveform(tmp_path / "alone.wav"), read_waveform(tmp_path / "cyd/bob_4.wav"))


def test_own_keeps_the_speaker_of_each_recording(
    model: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--src", corpus, "--split", "dev", "--out", tmp_path / "out"]
    assert run(model, *flags, "--target-speaker", "own,bob") == 0
    own = {f"{voice}/{voice}_4.wav" for voice in SPEAKERS}
    assert names(tmp_path / "out") == own | {f"bob/{voice}_4.wav" for voice in SPEAKERS}
    assert run(model, "--src", corpus / "audio", "--target-speaker", "own", "--out", tmp_path / "out") == 2
    assert "its speaker is unknown; --target-speaker own needs --src MANIFEST" in capsys.readouterr().err


def test_an_unreadable_recording_is_skipped(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    write_invalid_audio(folder, "nan.wav")
    write_tone(folder / "good.wav", samples=100)
    assert run(model, "--src", folder, "--target-speaker", "bob", "--out", out) == 0
    assert f"failed: {folder / 'nan.wav'}: " in capsys.readouterr().err and names(out) == {"bob/good.wav"}


def test_every_unreadable_recording_is_named_and_skipped(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    bad = [name for name in INVALID_AUDIO if name not in ("missing.wav", "folder.wav")]
    for name in bad:
        write_invalid_audio(folder, name)
    for name in ("a", "m", "z"):
        write_tone(folder / f"{name}.wav", samples=90)
    assert run(model, "--src", folder, "--target-speaker", "bob,ada", "--out", out) == 0
    parts = capsys.readouterr().err
    assert all(parts.count(f"failed: {folder / name}: ") == 1 for name in bad)
    assert names(out) == {f"{voice}/{name}.wav" for voice in ("ada", "bob") for name in "amz"}


def test_the_last_lines_give_the_speed_and_the_numbers(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        write_tone(tmp_path / f"in/{name}.wav", samples=3_200)
    assert run(model, "--src", tmp_path / "in", "--target-speaker", "bob,ada", "--out", tmp_path / "out") == 0
    speed, numbers = capsys.readouterr().err.splitlines()[-2:]
    assert re.fullmatch(r"0\.8 s of audio in \d+\.\d s, [\d.]+ times (faster|slower) than real time", speed)
    assert numbers == "4 done, 0 skipped (unchanged), 0 failed"


def test_the_longest_recording_comes_first(tmp_path: Path) -> None:
    sources = [
        Source(str(samples), write_tone(tmp_path / f"{samples}.wav", samples=samples, rate=rate))
        for samples, rate in ((100, 16_000), (400, 16_000), (200, 16_000), (500, 48_000))
    ]
    sources.append(Source("bad", write_invalid_audio(tmp_path, "text.wav")))
    assert [source.name for source in convert._longest_first(sources)] == ["400", "200", "500", "100", "bad"]


@pytest.mark.parametrize(
    ("seconds", "sizes"),
    [
        ([], []),
        ([1.0] * 64, [64]),
        ([1.0] * 130, [64, 64, 2]),
        ([5_000.0, 4_000.0, 2.0], [1, 1, 1]),  # too long for a common batch
        ([600.0, 600.0, 600.0, 600.0], [3, 1]),
        ([900.0, 900.0, 900.0], [2, 1]),
    ],
)
def test_the_size_of_a_batch_is_bounded(seconds: list[float], sizes: list[int]) -> None:
    """In recordings, and in seconds after padding to the longest."""
    room = np.empty(round(max(seconds, default=0) * SAMPLE_RATE), np.float32)
    jobs = [
        convert.ConversionJob(Source(str(i), Path()), room[: round(each * SAMPLE_RATE)], Inputs((), 0), "bob")
        for i, each in enumerate(seconds)
    ]
    batches = list(convert._batches(iter(jobs), 64))
    assert [len(batch) for batch in batches] == sizes
    assert [job.source.name for batch in batches for job in batch] == [job.source.name for job in jobs]


def test_engines_and_precisions(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, made = write_tone(tmp_path / "a.wav", samples=800), {}
    choices = {
        "plain": (),
        "numba": ("--engine", "numba"),
        "torch": ("--engine", "torch"),
        "bf16": ("--precision", "bf16"),
    }
    for name, flags in choices.items():
        out = tmp_path / f"{name}.wav"
        assert run(model, "--src", source, "--target-speaker", "bob", "--out", out, *flags) == 0
        made[name] = read_waveform(out)
    assert np.array_equal(made["plain"], made["numba"]) and np.array_equal(made["plain"], made["torch"])
    assert made["bf16"].shape == made["plain"].shape and rms(made["bf16"]) > 0
    for flags in (("--engine", "gpu"), ("--precision", "fp16")):
        with pytest.raises(SystemExit) as ended:
            run(model, "--src", source, "--target-speaker", "bob", "--out", tmp_path / "x.wav", *flags)
        assert ended.value.code == 2 and f"argument {flags[0]}: invalid choice" in capsys.readouterr().err


def test_sizes_that_bfloat16_refuses_cost_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = speech_config(wavenet=dataclasses.replace(WAVENET, residual_channels=5))
    save_model(tmp_path / "model", speechvq.SpeechVQ(odd, SPEAKERS))
    source = write_tone(tmp_path / "a.wav", samples=100)
    arguments = (
        "--src",
        source,
        "--target-speaker",
        "bob",
        "--out",
        tmp_path / "b.wav",
        "--precision",
        "bf16",
    )
    assert run(tmp_path, *arguments) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert (
        error.startswith("speechvq.convert: error: ")
        and "use fp32" in error
        and not (tmp_path / "b.wav").exists()
    )


def test_chunked_conversion(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Length and level are those of the source; one chunk equals no chunks; join errors are logged."""
    monkeypatch.setattr(overlap_add, "SEGMENT", 0.3)
    for name, samples in (("short", 3_000), ("long", 24_001)):
        source = write_tone(tmp_path / f"{name}.wav", samples=samples)
        for kind, flags in (("whole", ()), ("chunks", ("--chunked",))):
            out = tmp_path / kind / f"{name}.wav"
            assert run(model, "--src", source, "--target-speaker", "bob", "--out", out, *flags) == 0
        whole, cut = (read_waveform(tmp_path / kind / f"{name}.wav") for kind in ("whole", "chunks"))
        assert len(cut) == len(whole) == samples and abs(rms(cut) / rms(whole) - 1) < 0.05
        assert name == "long" or np.array_equal(whole, cut)
        assert ("joins, error at most" in capsys.readouterr().err) == (name == "long")


MEMORY = """
import resource, sys, torch
from speechvq import convert
torch.set_num_threads(1)
for sound in sys.argv[2:]:
    flags = ["--model", sys.argv[1], "--src", sound, "--target-speaker", "bob", "--out", sound + ".wav"]
    assert convert.main(flags) == 0
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10))
"""


def test_memory_grows_little_with_the_duration(tmp_path: Path) -> None:
    """At most 300 MB more for ten minutes than for ten seconds, scaled to two minutes."""
    wavenet = dataclasses.replace(
        WAVENET, stacks=1, layers=1, mulaw_bins=4, condition_on_f0=True, condition_on_phase=True
    )
    source = SourceFilterConfig(filter_order=2, num_harmonics=2, channels=2)
    encoder = EncoderConfig(strides=(4, 4, 4), channels=2)
    save_model(
        tmp_path / "model",
        speechvq.SpeechVQ(
            speech_config(wavenet=wavenet, encoder=encoder, source_filter=source), SPEAKERS
        ).eval(),
    )
    rng, sounds = np.random.default_rng(0), []
    for seconds in (10, 120):
        sounds.append(tmp_path / f"{seconds}.flac")
        soundfile.write(sounds[-1], 0.1 * rng.standard_normal(seconds * SAMPLE_RATE), SAMPLE_RATE)
    process = python("-c", MEMORY, str(tmp_path), *map(str, sounds))
    out, error = process.communicate(timeout=500)
    assert process.returncode == 0, error
    short, long = (float(line) for line in out.splitlines() if not line.endswith(".wav"))
    assert long - short < 300 * (120 - 10) / (600 - 10)


def is_one_line(error: str, *parts: str) -> bool:
    return (
        error.startswith("speechvq.convert: error: ")
        and error.count("\n") == 1
        and all(s in error for s in parts)
    )


@pytest.mark.parametrize("name", INVALID_AUDIO)
def test_an_unreadable_recording_costs_one_line_and_leaves_no_file(
    name: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_invalid_audio(tmp_path / "in", name)
    assert run(model, "--src", path, "--target-speaker", "bob", "--out", tmp_path / "out/b.wav") == 2
    line = "no audio files" if name == "folder.wav" else INVALID_AUDIO[name]
    assert is_one_line(capsys.readouterr().err, str(path), line) and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--src SRC --target-speaker bop --out out/b.wav", "unknown speaker 'bop'; nearest: bob"),
        ("--src SRC --target-speaker , --out out", "--target-speaker ',': holds no name"),
        (
            "--src SRC --out out/b.wav",
            "--src and --target-speaker are needed (--list-speakers shows the speakers)",
        ),
        ("--target-speaker bob", "--src and --target-speaker are needed"),
        ("--src SRC --target-speaker bob --out out/b.mp3", "only .wav and .flac are written; name it b.wav"),
        (
            "--src SRC --target-speaker bob,cyd --out out/b.wav",
            "several conversions are written to a folder; give --out DIR",
        ),
        ("--src FOLDER --target-speaker bob", "several conversions are written to a folder"),
        (
            "--src FOLDER --target-speaker bob --out out --limit -2",
            "--limit -2: give the number of recordings",
        ),
        (
            "--src SRC --target-speaker bob --out out/b.wav --temperature -1",
            "--temperature -1.0: give 0 to 100",
        ),
        (
            "--src SRC --target-speaker bob --out out/b.wav --temperature nan",
            "--temperature nan: give 0 to 100",
        ),
        (
            "--src SRC --target-speaker bob --out out/b.wav --top-p 0",
            "--top-p 0.0: give more than 0, at most 1",
        ),
        ("--src SRC --target-speaker bob --out out/b.wav --seed -1", "--seed -1: give a whole number from 0"),
        (f"--src SRC --target-speaker bob --out out/b.wav --seed {10**30}", "give a whole number from 0"),
        (
            "--src SRC --target-speaker bob --out out/b.wav --engine torch --precision bf16",
            "--precision bf16 is for the compiled engine; leave out --engine torch",
        ),
    ],
)
def test_a_mistake_costs_one_line(
    arguments: str,
    line: str,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tone(tmp_path / "in/a.wav", samples=100)
    words = {"SRC": "in/a.wav", "FOLDER": "in"}
    assert run(model, *(words.get(word, word) for word in arguments.split())) == 2
    assert is_one_line(capsys.readouterr().err, line) and names(tmp_path) == {"in/a.wav"}


def damage(folder: Path, how: str) -> Path:
    weights = folder / "model/model.safetensors"
    match how:
        case "truncated":
            weights.write_bytes(weights.read_bytes()[:500])
        case "pickle":
            weights.write_bytes(
                b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system" * 9
            )
        case "no weights":
            weights.unlink()
        case "no configuration":
            (folder / "model/config.yaml").unlink()
        case "tag":
            (folder / "model/config.yaml").write_text("!!python/object/apply:os.system ['touch ran']")
    return folder


@pytest.mark.parametrize("how", ["truncated", "pickle", "no weights", "no configuration", "tag", "missing"])
def test_damaged_or_missing_models(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "nowhere" if how == "missing" else damage(save_tiny_model(tmp_path / "run"), how)
    source = write_tone(tmp_path / "a.wav", samples=100)
    before = names(tmp_path)
    assert run(folder, "--src", source, "--target-speaker", "bob", "--out", tmp_path / "b.wav") == 2
    assert is_one_line(capsys.readouterr().err, str(folder)) and names(tmp_path) == before
