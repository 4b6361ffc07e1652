"""Live conversion: time of a block, first sound, and the latency from microphone to loudspeaker."""

import argparse
import dataclasses
import gc
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

import speechvq
from simulated_devices import SimulatedDevices
from speechvq.audio.waveform import SAMPLE_RATE, read_waveform
from speechvq.live.converter import LiveConverter
from speechvq.live.devices import Loudspeaker, Microphone
from speechvq.speech.streaming.conversion import check_can_stream
from timing import one_core, write_part

BLOCK_MS = 20
ENVELOPE = 80  # samples that an envelope is averaged over, 5 ms


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=speechvq.DEFAULT_MODEL, help="a model with a vocoder")
    parser.add_argument("--src", type=Path, default=Path("docs/source.flac"), help="the speech that is used")
    parser.add_argument("--json", type=Path, required=True, help="write the numbers to this file")
    parser.add_argument("--brief", action="store_true", help="a second of speech, to try the script")
    return parser


def main() -> None:
    """Measure in this process, on one core."""
    arguments = build_parser().parse_args()
    one_core()
    model, name = streamable_model(arguments.model)
    wave = read_waveform(arguments.src)
    wave = np.resize(wave, SAMPLE_RATE * (1 if arguments.brief else 60))
    part = measure_blocks(model, wave) | {"live_latency_ms": measure_latency(model, wave[: 4 * SAMPLE_RATE])}
    part |= measure_start(arguments.model, model.speakers[0])
    write_part(arguments.json, {"live": part | {"model": name}, "live_p99_ms": part["p99_ms"]})


def streamable_model(name: str) -> tuple[speechvq.SpeechVQ, str]:
    """A model and its name.

    A model with a vocoder whose look-ahead is not limited gets a limit, which changes no size: its speech is
    then wrong, and its time is right.
    """
    model = speechvq.load(name)
    try:
        check_can_stream(model)
    except speechvq.UserError:
        parts = {
            each: dataclasses.replace(getattr(model.config, each), lookahead_frames=lookahead)
            for each, lookahead in (("encoder", 2), ("source_filter", 0), ("vocoder", 0))
        }
        limited = speechvq.SpeechVQ(dataclasses.replace(model.config, **parts), model.speakers)
        limited.load_state_dict(model.state_dict())
        return limited.eval(), f"{name} with a limited look-ahead, which it was not trained with"
    return model, name


def measure_blocks(model: speechvq.SpeechVQ, wave: np.ndarray, block_ms: int = BLOCK_MS) -> dict[str, Any]:
    """Time of the blocks of a stream, garbage collection included: processor time, and beside it wall-clock.

    On a machine that does nothing else the two are equal.

    Args:
        model: can convert a stream.
        wave: (T,), float32, 16 kHz.
        block_ms: duration of a block.
    """
    speaker, size = model.speakers[0], block_ms * SAMPLE_RATE // 1000
    model.stream(speaker).push(wave[: 20 * size])  # loads what has been compiled
    gc.collect()
    gc.freeze()  # as the command does
    begun = time.perf_counter()
    stream = model.stream(speaker)
    first, seconds, wall = 0.0, [], []
    for at in range(0, len(wave) - size + 1, size):
        start, started = time.process_time(), time.perf_counter()
        converted = stream.push(wave[at : at + size])
        seconds.append(time.process_time() - start)
        wall.append(time.perf_counter() - started)
        if len(converted) and not first:
            first = time.perf_counter() - begun
    gc.unfreeze()
    p50, p99 = (1000 * float(np.percentile(seconds, each)) for each in (50, 99))
    return {
        "p50_ms": p50,
        "p99_ms": p99,
        "longest_ms": 1000 * max(seconds),
        "wall_p50_ms": 1000 * float(np.percentile(wall, 50)),
        "wall_p99_ms": 1000 * float(np.percentile(wall, 99)),
        "real_time_factor": sum(seconds) / (len(seconds) * block_ms / 1000),
        "blocks": len(seconds),
        "first_sound_s": first,
    }


def measure_start(model: str, speaker: str) -> dict[str, float]:
    """Time from the start of the command to its first sound, with kernels that have been compiled.

    The command reads and writes pipes, and gets a third of a second of silence.

    Args:
        model: name or directory of a model that can convert a stream.
        speaker: the target.

    Returns:
        start_s: by the clock.
        start_processor_s: processor time of the whole command.
    """
    flags = ["--model", model, "--target-speaker", speaker, "--input", "-", "--output", "-", "--quiet"]
    command = [sys.executable, "-m", "speechvq.live", *flags]
    before, begun = os.times(), time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(bytes(2 * SAMPLE_RATE // 3))
        process.stdin.close()
        process.stdout.read(1)
        seconds = time.perf_counter() - begun
        process.stdout.read()
    after = os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return {"start_s": seconds, "start_processor_s": processor}


def measure_latency(
    model: speechvq.SpeechVQ, wave: np.ndarray, *, rate: int = SAMPLE_RATE, block_ms: int = BLOCK_MS
) -> dict[str, float]:
    """Latency from microphone to loudspeaker, measured by correlation, beside its parts, ms.

    The devices are simulated; sound cards add what they buffer.

    Args:
        model: can convert a stream.
        wave: (T,), float32, at `rate`: what the microphone hears.
        rate: Hz, of the devices.
        block_ms: duration of a block.

    Returns:
        measured: the delay at which what was played is most like `convert(live=True)`, whose output is
            aligned with its source.
        alignment: the delay at which the envelope of this conversion is most like that of the source; near 0
            for a trained model.
        block, model, resampling, buffer, stated: the parts, and their sum.
    """
    devices = SimulatedDevices(wave, rate, runs=False)
    speaker = model.speakers[0]
    with ExitStack() as stack:
        loudspeaker = Loudspeaker(devices, None, block_ms, stack)  # type: ignore[arg-type]
        microphone = Microphone(devices, None, block_ms, stack)  # type: ignore[arg-type]
        converter = LiveConverter(model.stream(speaker), rate, rate, block_ms)
        devices.tick()
        while not devices.ended.is_set():
            block = microphone.read()
            assert block is not None
            loudspeaker.write(converter.push(block))
            devices.tick()
        parts = converter.latency._replace(buffer=1000 * loudspeaker.buffered)
    reference = _aligned_conversion(model, wave, rate)
    played = devices.recording()
    lag = _lag(played, reference, rate) - devices.microphone_start * devices.block / rate
    shape = _envelope(wave, rate), _envelope(reference, rate)
    named = {name: value for name, value in parts._asdict().items() if name != "devices"}
    return {
        "measured": 1000 * lag,
        "stated": parts.total,
        **named,
        "alignment": 1000 * _lag(shape[1], shape[0], rate),
    }


def _aligned_conversion(model: speechvq.SpeechVQ, wave: np.ndarray, rate: int) -> np.ndarray:
    """Conversion of a whole wave at its own rate, (T,), aligned with it."""
    if rate == SAMPLE_RATE:
        return np.asarray(model.convert(wave, model.speakers[0], live=True))
    converter = LiveConverter(model.stream(model.speakers[0]), rate, rate, BLOCK_MS)
    whole = np.concatenate([converter.push(wave), converter.flush()])
    return whole[round(converter.latency.resampling * rate / 1000) :]


def _lag(later: np.ndarray, earlier: np.ndarray, rate: int) -> float:
    """Delay of a signal against another by their cross-correlation, seconds."""
    from scipy.signal import correlate

    found = correlate(later, earlier, method="fft")
    return (int(found.argmax()) - len(earlier) + 1) / rate


def _envelope(wave: np.ndarray, rate: int) -> np.ndarray:
    """Smoothed magnitude, without its mean: (T,) to (T,)."""
    from scipy.ndimage import uniform_filter1d

    envelope = uniform_filter1d(np.abs(wave).astype(np.float64), ENVELOPE * rate // SAMPLE_RATE)
    return envelope - envelope.mean()


if __name__ == "__main__":
    main()
