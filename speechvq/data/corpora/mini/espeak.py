"""Speech synthesized by eSpeak NG, with exact phone boundaries (the optional extra "mini").

eSpeak NG is under GPL-3 and not part of this package. The extra installs it, this module finds it by its
path, and only `espeak_process.py`, a separate process, loads it.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from speechvq.alignment.phones import SILENCE, STOPS, arpabet
from speechvq.errors import UserError

PROCESS = Path(__file__).with_name("espeak_process.py")


@dataclass(frozen=True)
class Voice:
    """Settings of an eSpeak NG voice."""

    accent: str  # eSpeak's identifier, such as "gmw/en-US"
    variant: str  # voice variant, such as "f2"
    pitch: int  # 0 to 100; 50 is the variant's default
    rate: int  # words per minute


@dataclass(frozen=True)
class EspeakUtterance:
    """One synthesized utterance."""

    name: str
    samples: np.ndarray  # (T,), int16
    sample_rate: int  # Hz
    phones: list[tuple[int, str]]  # (first sample, ARPABET phone), in order; each lasts to the next


def synthesize(voice: Voice, utterances: Sequence[tuple[str, str]]) -> Iterator[EspeakUtterance]:
    """Synthesize (name, text) pairs. The same name, text and voice give the same samples on every call.

    Raises:
        UserError: eSpeak NG is not installed or cannot be loaded.
        ValueError: the accent or variant does not exist (eSpeak itself ignores an unknown variant).
        RuntimeError: eSpeak NG failed.
    """
    package = _installed()
    data = package / "espeak-ng-data"
    for known, folder in ((voice.accent, "lang"), (voice.variant, "voices/!v")):
        if not (data / folder / known).is_file():
            raise ValueError(f"eSpeak NG has no {known!r} in {data / folder}")
    at_once = len(utterances) if hasattr(os, "fork") else 1  # see espeak_process.py
    for first in range(0, len(utterances), max(1, at_once)):
        request = {
            "library": str(package / _library_name()),
            "data": str(data),
            "voice": f"{voice.accent}+{voice.variant}",
            "pitch": voice.pitch,
            "rate": voice.rate,
            "utterances": utterances[first : first + at_once],
        }
        yield from _run_process(request)


def _installed() -> Path:
    """The folder of the package espeakng-loader, found without an import."""
    found = importlib.util.find_spec("espeakng_loader")
    if found is None or found.origin is None:
        raise UserError("the built-in corpus needs eSpeak NG: pip install 'speechvq[mini]'")
    return Path(found.origin).parent


def _library_name() -> str:
    if sys.platform == "win32":
        return "espeak-ng.dll"
    return "libespeak-ng.dylib" if sys.platform == "darwin" else "libespeak-ng.so"


def _run_process(request: dict[str, object]) -> Iterator[EspeakUtterance]:
    """Run the eSpeak NG process on one request."""
    # -I: an isolated interpreter, in which a file beside the program cannot shadow a standard module.
    command = [sys.executable, "-I", str(PROCESS)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(json.dumps(request).encode())
        process.stdin.close()
        yield from _read_answers(process.stdout)
        complaint = process.stderr.read().decode(errors="replace").strip()
    if process.returncode != 0:
        reason = complaint.splitlines()[-1] if complaint else f"exit code {process.returncode}"
        if reason.startswith(("OSError", "FileNotFoundError")):
            raise UserError(f"eSpeak NG cannot be loaded; install espeakng-loader again ({reason})")
        raise RuntimeError(f"eSpeak NG failed: {reason}")


def _read_answers(stream: IO[bytes]) -> Iterator[EspeakUtterance]:
    while line := stream.readline():
        answer = json.loads(line)
        samples = np.frombuffer(stream.read(2 * answer["samples"]), np.int16)
        phones = _phones(answer["phones"], answer["symbols"])
        yield EspeakUtterance(answer["name"], samples, answer["sample_rate"], phones)


def _phones(events: list[tuple[int, str]], symbols: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Start of each phone, from sample 0; consecutive silences are merged.

    The event of a stop is at its burst, which assigns the closure to the phone before; the symbol is before
    the closure, so stops start at their symbols. A closure after a silence cannot be separated from it
    and stays there. All other phones start at their events. eSpeak renders a nasal or liquid and the
    following vowel or final L as one glide: there the event is 20 to 40 ms later than a boundary set by eye.
    The symbol, at the start of the whole glide, is farther away.
    """
    phones = [(0, SILENCE)]
    for sample, mnemonic in events:
        phone, before = arpabet(mnemonic), phones[-1][1]
        if phone in STOPS and before != SILENCE:
            earliest = phones[-1][0]
            starts = [at for at, symbol in symbols if symbol == mnemonic and earliest < at <= sample]
            sample = max(starts, default=sample)  # eSpeak repeats a symbol when its queue was full
        if (phone, before) != (SILENCE, SILENCE):
            phones.append((sample, phone))
    return phones
