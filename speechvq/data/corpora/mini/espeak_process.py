"""The eSpeak NG process. It is run by path, not imported; it reads a request on stdin and answers on stdout.

It uses only the standard library, so it starts within tens of milliseconds, has no threads, and may fork.
GPL-3 code (eSpeak NG) is loaded in this separate process and nowhere else in the package.

Request: one JSON object with library and data (paths), voice, pitch, rate, and utterances ([name, text]
    each).

Answer, for each utterance: a line of JSON (name, sample_rate, samples, phones, symbols), then that many
16-bit samples. `phones` and `symbols` are lists of [sample, mnemonic]: eSpeak's phone events, and the times
at which it started to process each phone. For a stop the symbol is before the closure and the event after it.

eSpeak's output depends on earlier utterances. So each utterance is synthesized by a child that is forked from
the same initial state, with a seed of its own: the bytes do not depend on order or number of utterances. On a
system without fork, request one utterance at a time for the same bytes.
"""

import array
import ctypes
import json
import os
import sys
import zlib

SYNCHRONOUS, NO_BUFFER_LENGTH = 2, 0
PHONE_EVENTS, DO_NOT_EXIT = 0x0001, 0x8000
RATE, VOLUME, PITCH = 1, 2, 3
SAFE_VOLUME = 60  # at 100 many voices overflow and are then compressed
PHONE_EVENT, END_OF_EVENTS = 7, 0
CHARACTER_POSITION, UTF8 = 1, 1


class EventId(ctypes.Union):
    """Content of an event; a phone's mnemonic of eight bytes has no terminator."""

    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class SynthEvent(ctypes.Structure):
    """espeak_EVENT; `sample` is exact, `audio_position` is rounded to milliseconds."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", EventId),
    ]


SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(SynthEvent))
SymbolHook = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int)
SampleHook = ctypes.CFUNCTYPE(None, ctypes.c_short)


class OutputHooks(ctypes.Structure):
    """espeak_ng_OUTPUT_HOOKS: callbacks for every phone that is processed and every output sample."""

    _fields_ = [
        ("symbol", SymbolHook),
        ("silence", SampleHook),
        ("voiced", SampleHook),
        ("unvoiced", SampleHook),
    ]


class Synthesizer:
    """eSpeak NG with one voice.

    Args:
        library, data: paths of the shared library and of its folder of voices.
        voice: identifier and variant, such as "gmw/en-US+f2".
        pitch: 0 to 100; 50 is the voice's default.
        rate: words per minute.

    Raises:
        OSError: the library cannot be loaded.
        RuntimeError: eSpeak refuses the data or the voice.
    """

    def __init__(self, library: str, data: str, voice: str, pitch: int, rate: int) -> None:
        self.engine = ctypes.CDLL(library)
        self.engine.espeak_ng_SetRandSeed.argtypes = [
            ctypes.c_long
        ]  # otherwise half of the seed is undefined
        self.samples: list[int] = []
        self.phones: list[tuple[int, str]] = []
        self.symbols: list[tuple[int, str]] = []
        self.sample_rate = self._start(data)
        self._set_voice(voice, pitch, rate)

    def _start(self, data: str) -> int:
        options = PHONE_EVENTS | DO_NOT_EXIT
        sample_rate = self.engine.espeak_Initialize(SYNCHRONOUS, NO_BUFFER_LENGTH, os.fsencode(data), options)
        if sample_rate <= 0:
            raise RuntimeError(f"eSpeak NG cannot read its data in {data}")
        take_sample = SampleHook(self.samples.append)  # len(samples) is the time of a symbol
        self._kept_alive = (
            SynthCallback(self._collect_phones),
            OutputHooks(SymbolHook(self._collect_symbol), take_sample, take_sample, take_sample),
        )
        self.engine.espeak_SetSynthCallback(self._kept_alive[0])
        self.engine.espeak_ng_SetOutputHooks(ctypes.byref(self._kept_alive[1]))
        return sample_rate

    def _set_voice(self, voice: str, pitch: int, rate: int) -> None:
        refused = self.engine.espeak_SetVoiceByName(voice.encode())
        for parameter, value in ((VOLUME, SAFE_VOLUME), (PITCH, pitch), (RATE, rate)):
            refused |= self.engine.espeak_SetParameter(parameter, value, 0)
        if refused:
            raise RuntimeError(f"eSpeak NG refuses the voice {voice}, pitch {pitch}, rate {rate}")

    def _collect_symbol(self, mnemonic: bytes, kind: int) -> None:
        self.symbols.append((len(self.samples), mnemonic.decode()))

    def _collect_phones(self, pcm: int | None, count: int, events: "ctypes._Pointer[SynthEvent]") -> int:
        """Collect the phone events; the samples come through the hooks."""
        index = 0
        while events[index].type != END_OF_EVENTS:
            if events[index].type == PHONE_EVENT:
                name = ctypes.string_at(ctypes.addressof(events[index].id), 8)
                self.phones.append((events[index].sample, name.split(b"\0")[0].decode()))
            index += 1
        return 0

    def synthesize(self, name: str, text: str) -> bytes:
        """Synthesize one utterance: a line of JSON and the samples, 16-bit in native byte order."""
        encoded = text.encode()
        self.engine.espeak_ng_SetRandSeed(zlib.crc32(name.encode()))
        refused = self.engine.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded) + 1), 0, CHARACTER_POSITION, 0, UTF8, None, None
        )
        if refused or not self.phones or self.phones[-1][0] > len(self.samples):
            raise RuntimeError(f"eSpeak NG's hooks miss samples of this voice, at {name}")
        answer = {
            "name": name,
            "sample_rate": self.sample_rate,
            "samples": len(self.samples),
            "phones": self.phones,
            "symbols": self.symbols,
        }
        return json.dumps(answer).encode() + b"\n" + array.array("h", self.samples).tobytes()


def write_stdout(answer: bytes) -> None:
    """Write to stdout and flush."""
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()


def synthesize_in_child(synthesizer: Synthesizer, name: str, text: str) -> None:
    """Synthesize in a forked copy of this process, which leaves the state of this process unchanged.

    Raises:
        RuntimeError: the child failed.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            write_stdout(synthesizer.synthesize(name, text))
            status = 0
        finally:
            os._exit(status)
    if os.waitpid(child, 0)[1] != 0:
        raise RuntimeError(f"eSpeak NG failed at {name}: {text}")


def main() -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    utterances = request.pop("utterances")
    synthesizer = Synthesizer(**request)
    if not hasattr(os, "fork"):
        [(name, text)] = utterances
        write_stdout(synthesizer.synthesize(name, text))
        return
    for name, text in utterances:
        synthesize_in_child(synthesizer, name, text)


if __name__ == "__main__":
    main()
