"""Speech from eSpeak NG with the exact place of every phone (the optional extra "mini").

eSpeak NG is under GPL-3. It is not a part of this package: it is installed by the extra, found here by its
path, and loaded only by `espeak_process.py`, a process of its own.
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
    """How to speak."""

    accent: str  # eSpeak's identifier, such as "gmw/en-US"
    variant: str  # of the throat, such as "f2"
    pitch: int  # 0 to 100; 50 is the variant's own
    rate: int  # words a minute


@dataclass(frozen=True)
class Speech:
    """One utterance."""

    name: str
    samples: np.ndarray  # (T,), int16
    sample_rate: int  # Hz
    phones: list[tuple[int, str]]  # (first sample, ARPABET phone), in order; each lasts to the next


def speak(voice: Voice, utterances: Sequence[tuple[str, str]]) -> Iterator[Speech]:
    """Speak (name, text) pairs; the same name, text and voice give the same samples on every call.

    Raises:
        UserError: eSpeak NG is not installed or cannot be loaded.
        ValueError: the variant does not exist (eSpeak itself would ignore it without a word).
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
        yield from _ask(request)


def _installed() -> Path:
    """The folder of the package espeakng-loader, found without importing it."""
    found = importlib.util.find_spec("espeakng_loader")
    if found is None or found.origin is None:
        raise UserError("the built-in corpus needs eSpeak NG: pip install 'speechvq[mini]'")
    return Path(found.origin).parent


def _library_name() -> str:
    if sys.platform == "win32":
        return "espeak-ng.dll"
    return "libespeak-ng.dylib" if sys.platform == "darwin" else "libespeak-ng.so"


def _ask(request: dict[str, object]) -> Iterator[Speech]:
    """Run the eSpeak NG process on one request."""
    # -I: an isolated interpreter, so that no module beside the program can be taken for one of Python's own.
    command = [sys.executable, "-I", str(PROCESS)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(json.dumps(request).encode())
        process.stdin.close()
        yield from _answers(process.stdout)
        complaint = process.stderr.read().decode(errors="replace").strip()
    if process.returncode != 0:
        reason = complaint.splitlines()[-1] if complaint else f"exit code {process.returncode}"
        if reason.startswith(("OSError", "FileNotFoundError")):
            raise UserError(f"eSpeak NG cannot be loaded; install espeakng-loader again ({reason})")
        raise RuntimeError(f"eSpeak NG failed: {reason}")


def _answers(stream: IO[bytes]) -> Iterator[Speech]:
    while line := stream.readline():
        answer = json.loads(line)
        samples = np.frombuffer(stream.read(2 * answer["samples"]), np.int16)
        phones = _phones(answer["phones"], answer["symbols"])
        yield Speech(answer["name"], samples, answer["sample_rate"], phones)


def _phones(events: list[tuple[int, str]], symbols: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Where each phone starts, silences joined, from sample 0.

    An event marks a stop at its burst and so leaves its closure to the phone before; the symbol marks it
    before the closure. After a silence nobody can tell the closure from the silence, and it stays there. All
    other phones begin at their events. eSpeak glides from nasals and liquids into vowels and into a final L
    as if they were one: there the event comes 20 to 40 ms after the eye would put it, and the symbol, at
    the start of the whole glide, is worse.
    """
    phones = [(0, SILENCE)]
    for sample, mnemonic in events:
        phone, before = arpabet(mnemonic), phones[-1][1]
        if phone in STOPS and before != SILENCE:
            earliest = phones[-1][0]
            taken_up = [at for at, symbol in symbols if symbol == mnemonic and earliest < at <= sample]
            sample = max(taken_up, default=sample)  # a symbol is repeated when eSpeak's queue was full
        if (phone, before) != (SILENCE, SILENCE):
            phones.append((sample, phone))
    return phones
