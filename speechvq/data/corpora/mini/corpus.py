"""The built-in corpus: up to 50 synthetic speakers of English with exact phone boundaries, made in seconds.

It is meant for tests, tutorials and first experiments, and is no evidence about real speech. eSpeak NG
(GPL-3, the optional extra "mini") synthesizes it in a separate process. The layout is that of `folder.py`:

    OUT/recordings/audio/SPEAKER/UTT.flac   mono, 16 kHz, 16 bits, each voice at its own level
    OUT/recordings/txt/SPEAKER/UTT.txt
    OUT/recordings/lab/SPEAKER/UTT.lab      phones of CMUdict and SIL, without gaps

The first tenth of the sentences is the same for all speakers, like the rainbow passage in VCTK; the others
differ. The same parameters give the same bytes for any number of jobs (with the same libraries).
"""

import json
import math
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from pathlib import Path
from threading import Event

import numpy as np

from speechvq.alignment.intervals import Interval, write_lab
from speechvq.audio.waveform import SAMPLE_RATE, write_waveform
from speechvq.data.corpora.mini.espeak import EspeakUtterance, synthesize
from speechvq.data.corpora.mini.sentences import sentences as make_sentences
from speechvq.data.corpora.mini.voices import VOICES
from speechvq.errors import UserError
from speechvq.io.atomic import write_bytes
from speechvq.runtime.progress import progress
from speechvq.runtime.signals import deferred_stop

SHARED_FRACTION = 0.1  # of the sentences, rounded up
VERSION = 1  # incremented when the same parameters give other bytes, so that existing corpora are rebuilt


def build(
    out: Path, *, speakers: int = 10, sentences: int = 40, seed: int = 0, jobs: int | None = None
) -> int:
    """Build the corpus in `out`/recordings, unless it exists with the same parameters.

    Args:
        out: created if missing.
        speakers: 1 to 50; half of them male, half female.
        sentences: utterances per speaker, 2 to 4 seconds each.
        seed: of the sentences.
        jobs: speakers processed in parallel; None for one per core.

    Returns:
        The number of utterances.

    Raises:
        UserError: eSpeak NG is missing, a number is out of range, or `out`/recordings contains other files.
    """
    if not 1 <= speakers <= len(VOICES):
        raise UserError(f"--speakers {speakers}: the built-in corpus has 1 to {len(VOICES)}")
    if sentences < 1:
        raise UserError(f"--sentences {sentences}: give at least 1")
    recordings = Path(out) / "recordings"
    parameters = {"version": VERSION, "speakers": speakers, "sentences": sentences, "seed": seed}
    stamp = _read_stamp(recordings)
    if stamp != {**parameters, "complete": True}:
        if stamp != {**parameters, "complete": False}:  # else it was interrupted, and continues
            _clear(recordings)
            _write_stamp(recordings, {**parameters, "complete": False})
        _record_all(recordings, list(VOICES)[:speakers], sentences, seed, jobs)
        _write_stamp(recordings, {**parameters, "complete": True})
    return speakers * sentences


def speaker_sentences(speaker: str, count: int, seed: int) -> list[tuple[str, str]]:
    """Pairs (utterance, sentence) of a speaker; the first tenth of the sentences is shared by all speakers.

    A larger number of sentences or speakers does not change the speaker's other sentences.
    """
    shared = list(islice(make_sentences(f"{seed}/shared"), math.ceil(SHARED_FRACTION * count)))
    unique = islice(make_sentences(f"{seed}/{speaker}"), count - len(shared))
    texts = [*shared, *unique]
    return [(f"{speaker}_{number:03d}", text) for number, text in enumerate(texts, start=1)]


def _record_all(recordings: Path, speakers: list[str], count: int, seed: int, jobs: int | None) -> None:
    """Write the utterances of all incomplete speakers; after an exception the threads stop soon."""
    texts = {name: speaker_sentences(name, count, seed) for name in speakers}
    missing = [name for name in speakers if not _is_complete(recordings, name, texts[name])]
    pool, stop = ThreadPoolExecutor(jobs or os.cpu_count() or 1), Event()  # eSpeak's processes do the work
    try:
        made = [pool.submit(_record, recordings, name, texts[name], stop) for name in missing]
        for future in progress(as_completed(made), total=len(made), label="mini", unit="speaker"):
            future.result()
    except BaseException:
        stop.set()
        raise
    finally:
        with deferred_stop():
            pool.shutdown(cancel_futures=True)


def _is_complete(recordings: Path, speaker: str, texts: list[tuple[str, str]]) -> bool:
    """Whether all utterances of a speaker were written; the labels are the last file of each."""
    return all((recordings / "lab" / speaker / f"{name}.lab").is_file() for name, _ in texts)


def _record(recordings: Path, speaker: str, texts: list[tuple[str, str]], stop: Event) -> None:
    """Write all utterances of one speaker, unless `stop` is set meanwhile."""
    for (name, text), speech in zip(texts, synthesize(VOICES[speaker], texts), strict=True):
        if stop.is_set():
            return
        samples = _resample(speech)
        write_waveform(recordings / "audio" / speaker / f"{name}.flac", samples)
        write_bytes(recordings / "txt" / speaker / f"{name}.txt", f"{text}\n".encode())
        write_lab(recordings / "lab" / speaker / f"{name}.lab", phone_intervals(speech, len(samples)))


def _resample(speech: EspeakUtterance) -> np.ndarray:
    """Samples (T,), float32, at 16 kHz. Not 16-bit, because soxr dithers that with a seed from the clock."""
    import soxr

    full_scale = 32768
    return soxr.resample(speech.samples.astype(np.float32) / full_scale, speech.sample_rate, SAMPLE_RATE)


def phone_intervals(speech: EspeakUtterance, num_samples: int) -> Iterator[Interval]:
    """The phones at 16 kHz, on whole samples, from 0 to `num_samples`; empty phones are skipped."""
    starts = [round(at * SAMPLE_RATE / speech.sample_rate) for at, _ in speech.phones]
    ends = [*starts[1:], num_samples]
    for (_, phone), start, end in zip(speech.phones, starts, ends, strict=True):
        if end > start:
            yield Interval(start / SAMPLE_RATE, end / SAMPLE_RATE, phone)


def _stamp_path(recordings: Path) -> Path:
    return recordings / "mini.json"


def _read_stamp(recordings: Path) -> object:
    """Parameters of the corpus that was built there; None if there is none."""
    try:
        return json.loads(_stamp_path(recordings).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _write_stamp(recordings: Path, stamp: dict[str, int | bool]) -> None:
    write_bytes(_stamp_path(recordings), f"{json.dumps(stamp)}\n".encode())


def _clear(recordings: Path) -> None:
    """Remove an earlier build, and nothing else."""
    if recordings.exists() and not _stamp_path(recordings).is_file() and any(recordings.iterdir()):
        raise UserError(f"{recordings}: contains files other than the built-in corpus; choose another --out")
    for kind in ("audio", "txt", "lab"):
        shutil.rmtree(recordings / kind, ignore_errors=True)
