"""`live`: files, pipes and devices give what `convert(live=True)` gives, and every mistake one line."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.signal import resample_poly

from helpers.live_model import CONFIG, live_model, speech
from helpers.tiny import ROOT, python, speech_model
from speechvq import live
from speechvq.audio.waveform import read_waveform, write_waveform
from speechvq.live import devices
from speechvq.live.converter import LiveConverter
from speechvq.live.endpoints import RawInput, RawOutput
from speechvq.speech.model import SpeechVQ

sys.path.insert(0, str(ROOT / "recipes/benchmark"))
import live as benchmark
from simulated_devices import SimulatedDevices


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory."""
    live_model().save_pretrained(folder := tmp_path_factory.mktemp("model"))
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of one second."""
    write_waveform(path := tmp_path_factory.mktemp("source") / "a.wav", speech(1.0))
    return path


@pytest.fixture(scope="module")
def expected(model: Path, source: Path) -> np.ndarray:
    """The conversion of the recording to bob, as a stream."""
    return SpeechVQ.from_pretrained(model).convert(read_waveform(source), "bob", live=True)


def run(model: Path, *arguments: str | Path) -> int:
    return live.main(["--model", str(model), "--target-speaker", "bob", *map(str, arguments)])


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    return len(found) >= len(expected) and bool(
        np.allclose(found[: len(expected)], expected, atol=2 / 32768 + 1e-5)
    )


def test_a_file_gives_the_conversion_of_a_stream(
    model: Path, source: Path, expected: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, "--input", source, "--output", tmp_path / "b.wav") == 0
    assert same(read_waveform(tmp_path / "b.wav"), expected)
    printed = capsys.readouterr().err
    assert "1.0 s converted; latency 81 ms, load " in printed and "drop-outs 0" in printed
    assert "latency by parts (ms): block 20, model 61" in printed


def test_a_stream_is_there_without_slow_imports() -> None:
    """They would delay the first sound by seconds."""
    code = (
        "import sys, speechvq.live, speechvq.speech.model, speechvq.speech.streaming.conversion;"
        "print(*sys.modules)"
    )
    process = python("-c", code)
    loaded, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    slow = {"scipy.signal", "scipy.stats", "librosa", "sklearn", "matplotlib", "transformers", "pandas"}
    assert not slow & set(loaded.split())


def test_a_file_in_real_time_takes_its_duration(
    model: Path, source: Path, expected: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = time.monotonic()
    assert run(model, "--input", source, "--output", tmp_path / "b.flac", "--realtime", "--quiet") == 0
    assert time.monotonic() - begun >= 1
    assert same(read_waveform(tmp_path / "b.flac"), expected) and capsys.readouterr().err == ""


def test_raw_samples_go_through_a_pipe(model: Path, source: Path, expected: np.ndarray) -> None:
    raw = (read_waveform(source) * 32768).round().astype("<i2").tobytes()
    command = ["-m", "speechvq.live", "--model", str(model), "--target-speaker", "bob"]
    process = python(*command, "--input", "-", "--output", "-", text=False, stdin=subprocess.PIPE)
    out, printed = process.communicate(raw + b"\0", timeout=120)  # half a sample at the end
    assert process.returncode == 0, printed
    assert same(np.frombuffer(out, "<i2") / 32768, expected)


def test_a_pipe_at_another_rate_is_resampled(model: Path, source: Path) -> None:
    read_in, write_in = os.pipe()
    read_out, write_out = os.pipe()
    wave = read_waveform(source)
    raw = (resample_poly(wave, 3, 1) * 32768).round().astype("<i2").tobytes()

    def feed() -> None:
        for part in (raw[:30_001], raw[30_001:60_000], raw[60_000:]):
            os.write(write_in, part)
        os.close(write_in)

    threading.Thread(target=feed).start()
    taken, given = RawInput(read_in, 48_000, 960), RawOutput(write_out, 48_000)
    loaded = SpeechVQ.from_pretrained(model)
    converter = LiveConverter(loaded.stream("bob"), 48_000, 48_000, 20)
    parts: list[bytes] = []
    while (block := taken.read()) is not None:
        assert given.write(converter.push(block))
        os.set_blocking(read_out, False)
        try:
            parts.append(os.read(read_out, 1 << 20))
        except BlockingIOError:
            pass
    assert given.write(converter.flush())
    parts.append(os.read(read_out, 1 << 20))
    found = np.frombuffer(b"".join(parts), "<i2")[::3] / 32768
    assert converter.latency.total == pytest.approx(81 + 3, abs=0.1)
    half = round(converter.latency.resampling * 16) // 2  # samples, before the conversion and after it
    reference = loaded.convert(np.pad(wave, (half, 0)), "bob", live=True)[:15_000]
    assert np.corrcoef(found[half : half + 15_000], reference)[0, 1] > 0.9
    os.close(read_out)
    assert not given.write(np.zeros(9, np.float32))  # its reader is gone


PIPES = [line for line in live.__doc__.split("\n\n") if "| " in line or "|\n" in line]


@pytest.mark.parametrize("program", ["sox", "ffmpeg", "arecord"])
def test_the_pipes_of_the_help_run(
    program: str, model: Path, source: Path, expected: np.ndarray, tmp_path: Path
) -> None:
    """As written, with another model and speaker, and a device without sound for arecord and aplay."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    [line] = [each for each in PIPES if each.split()[0] == program]
    assert line in live.build_parser().format_help()
    shutil.copy(source, tmp_path / "a.wav")
    (tmp_path / ".asoundrc").write_text("pcm.!default { type null }\n")
    command = line.replace("python -m", f"{sys.executable} -m").replace("1088", f"bob --model {model}")
    if program == "arecord":
        command = command.replace("arecord -q", "arecord -d 1 -q")
    environment = os.environ | {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "s converted; latency" in done.stderr and "Traceback" not in done.stderr
    if program == "sox":
        assert same(read_waveform(tmp_path / "b.wav"), expected)
    elif program == "ffmpeg":
        assert len(read_waveform(tmp_path / "b.wav")) == pytest.approx(16_000, abs=200)


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> SimulatedDevices:
    made = SimulatedDevices(speech(1.0))
    monkeypatch.setattr(devices, "load_sounddevice", lambda: made)
    return made


def interrupt_after(simulated: SimulatedDevices) -> None:
    """Press Ctrl-C a little after the microphone has heard everything."""

    def press() -> None:
        simulated.ended.wait(30)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()


def test_microphone_to_loudspeaker_until_ctrl_c(
    model: Path, simulated: SimulatedDevices, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated.rate, simulated.wave = 48_000, np.repeat(speech(1.0), 3)
    interrupt_after(simulated)
    assert run(model) == 130
    simulated.stop()
    printed = capsys.readouterr().err
    assert "s converted; latency" in printed and printed.endswith("speechvq.live: interrupted\n")
    assert "latency by parts (ms): block 20, model 61, resampling 3, buffer" in printed
    assert np.abs(simulated.recording()).max() > 1e-4


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_the_latency_measured_by_correlation_is_the_sum_of_its_parts(rate: int) -> None:
    found = benchmark.measure_latency(live_model(), np.repeat(speech(1.5), rate // 16_000), rate=rate)
    assert found["measured"] == pytest.approx(found["stated"], abs=1)
    parts = [found[name] for name in ("block", "model", "resampling", "buffer")]
    assert found["stated"] == sum(parts) and 100 <= found["stated"] <= 126


def test_the_devices_are_listed(simulated: SimulatedDevices, capsys: pytest.CaptureFixture[str]) -> None:
    simulated.names = ("webcam", "headset")
    assert live.main(["--list-devices"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[1:] == [["0", "webcam", "in,", "out", "2", "2", "16000"], ["1", "headset", "2", "2", "16000"]]
    simulated.names = ()
    assert live.main(["--list-devices"]) == 0 and capsys.readouterr().out == "no sound devices\n"


def test_a_device_that_vanishes_gives_one_line(
    model: Path, simulated: SimulatedDevices, capsys: pytest.CaptureFixture[str]
) -> None:
    def unplug() -> None:
        simulated.ended.wait(30)
        simulated.gone = True

    threading.Thread(target=unplug, daemon=True).start()
    assert run(model, "--quiet") == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1 and "was it unplugged?" in printed


def test_a_loudspeaker_that_vanishes_gives_one_line(
    model: Path, source: Path, simulated: SimulatedDevices, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated.gone = True
    assert run(model, "--input", source, "--quiet") == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1 and "the loudspeaker takes no more sound; was it unplugged?" in printed


def test_nan_of_a_microphone_become_silence_and_are_counted(
    model: Path, simulated: SimulatedDevices, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated.wave = np.where(np.arange(16_000) // 320 == 20, np.nan, simulated.wave).astype(np.float32)
    interrupt_after(simulated)
    assert run(model) == 130
    simulated.stop()
    assert "320 samples were NaN or infinite, and became silence" in capsys.readouterr().err
    assert np.isfinite(simulated.recording()).all()


def test_an_underrun_is_counted_and_leaves_more_in_the_buffer() -> None:
    simulated = SimulatedDevices(np.zeros(0, np.float32), runs=False)
    with ExitStack() as stack:
        speaker = devices.Loudspeaker(simulated, None, 20, stack)  # type: ignore[arg-type]
        status = SimpleNamespace(output_underflow=False)

        def play() -> float:
            out = np.empty((320, 1), np.float32)
            speaker._play(out, 320, None, status)
            return float(out[0, 0])

        assert play() == 0 and speaker.lost == 0  # nothing has come yet
        for value in (1.0, 2.0):
            speaker.write(np.full(320, value, np.float32))
        assert play() == 2 and play() == 0 and speaker.lost == 1  # the oldest is left out once
        for value in (3.0, 4.0):
            speaker.write(np.full(320, value, np.float32))
        assert play() == 3 and speaker.lost == 1
        for _ in range(9):
            speaker.write(np.zeros(320, np.float32))
        assert speaker.lost > 1 and speaker._count <= devices.MAX_BUFFERED_BLOCKS * 320


def test_blocks_that_nobody_takes_are_dropped_and_counted() -> None:
    simulated = SimulatedDevices(np.zeros(0, np.float32), runs=False)
    with ExitStack() as stack:
        microphone = devices.Microphone(simulated, None, 20, stack)  # type: ignore[arg-type]
        status = SimpleNamespace(input_overflow=False)
        for value in range(60):
            microphone._take(np.full((320, 2), value, np.float32), 320, None, status)
        first = microphone.read()
        assert first is not None and first[0] == 10 and microphone.lost == 10


def test_mistakes_are_one_line(
    model: Path,
    source: Path,
    tmp_path: Path,
    simulated: SimulatedDevices,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    speech_model().save_pretrained(tmp_path / "wavenet")
    files = ["--input", source, "--output", tmp_path / "b.wav"]

    def complaint(*arguments: str | Path, name: Path = model) -> str:
        assert run(name, *arguments) == 2
        printed = capsys.readouterr().err
        assert printed.startswith("speechvq.live: error: ") and printed.count("\n") == 1
        return printed

    assert "it lacks a vocoder" in complaint(*files, name=tmp_path / "wavenet")
    symmetric = dataclasses.replace(CONFIG, encoder=dataclasses.replace(CONFIG.encoder, lookahead_frames=-1))
    SpeechVQ(symmetric, ["bob"]).save_pretrained(tmp_path / "symmetric")
    assert "encoder.lookahead_frames from 0, here -1" in complaint(*files, name=tmp_path / "symmetric")
    assert "unknown speaker 'zoe'" in complaint(*files, "--target-speaker", "zoe")
    assert "nothing.wav: no such file" in complaint("--input", tmp_path / "nothing.wav", *files[2:])
    assert "would be replaced" in complaint("--input", source, "--output", source)
    assert "only .wav and .flac" in complaint("--input", source, "--output", "./b.mp3")
    assert "--realtime is for a file" in complaint("--realtime", "--output", tmp_path / "b.wav")
    assert "--block-ms 15: give a multiple of 10" in complaint(*files, "--block-ms", "15")
    assert "--rate 0: give 8000 to 192000" in complaint(*files, "--rate", "0")
    assert "--input radio: No input device matching" in complaint("--input", "radio", *files[2:])
    simulated.names = ()
    assert "no microphone found; --list-devices" in complaint(*files[2:])
    assert "no loudspeaker found" in complaint(*files[:2])
    monkeypatch.setattr(os, "isatty", lambda descriptor: True)
    assert "stdin is a terminal" in complaint("--input", "-", *files[2:])
    assert "stdout is a terminal" in complaint(*files[:2], "--output", "-")
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert "pip install 'speechvq[live]'" in complaint(*files[2:])
    assert live.main([]) == 2 and "--target-speaker is needed" in capsys.readouterr().err
    assert not (tmp_path / "b.wav").exists()
