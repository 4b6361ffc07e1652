"""The eSpeak NG process, run by path, never imported: a request on stdin, what was spoken on stdout.

It needs nothing but Python's own library, so it starts in a few hundredths of a second, has no threads, and
may fork. GPL-3 code (eSpeak NG) is loaded here, in a process of its own, and nowhere else in this package.

Request, JSON: library, data (paths), voice, pitch, rate, utterances ([name, text] each).
Answer, for each utterance: a line of JSON (name, sample_rate, samples, phones, symbols), then that many
16-bit samples.
`phones` and `symbols` are lists of [sample, mnemonic]: eSpeak's phone events, and the instants at which it
took up each phone, which come before a stop's closure where the event comes after it.

What eSpeak says depends on what it said before, so each utterance is spoken by a child forked from the same
fresh state, with a seed of its own: the same bytes in any order and company. Where there is no fork, ask for
one utterance at a time and the bytes are the same again.
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
QUIET = 60  # of 100, at which many voices overflow and are then squeezed
PHONE_EVENT, END_OF_EVENTS = 7, 0
CHARACTER_POSITION, UTF8 = 1, 1


class EventId(ctypes.Union):
    """What an event is about; a phone's mnemonic of eight bytes has no end mark."""

    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class Event(ctypes.Structure):
    """espeak_EVENT; `sample` is exact, `audio_position` is the same rounded to milliseconds."""

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


Hear = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(Event))
TakeSymbol = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int)
TakeSample = ctypes.CFUNCTYPE(None, ctypes.c_short)


class Hooks(ctypes.Structure):
    """espeak_ng_OUTPUT_HOOKS: called for every phone taken up and every sample put out."""

    _fields_ = [
        ("symbol", TakeSymbol),
        ("silence", TakeSample),
        ("voiced", TakeSample),
        ("unvoiced", TakeSample),
    ]


class Speaker:
    """eSpeak NG, started once with one voice.

    Args:
        library, data: paths of the shared library and of its folder of voices.
        voice: identifier and variant, such as "gmw/en-US+f2".
        pitch: 0 to 100; 50 is the voice's own.
        rate: words a minute.

    Raises:
        OSError: the library cannot be loaded.
        RuntimeError: eSpeak refuses the data or the voice.
    """

    def __init__(self, library: str, data: str, voice: str, pitch: int, rate: int) -> None:
        self.engine = ctypes.CDLL(library)
        self.engine.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]  # without it half the seed is noise
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
        take_sample = TakeSample(self.samples.append)  # so len(samples) is the clock of the symbol hook
        self._kept_alive = (
            Hear(self._hear),
            Hooks(TakeSymbol(self._take_symbol), take_sample, take_sample, take_sample),
        )
        self.engine.espeak_SetSynthCallback(self._kept_alive[0])
        self.engine.espeak_ng_SetOutputHooks(ctypes.byref(self._kept_alive[1]))
        return sample_rate

    def _set_voice(self, voice: str, pitch: int, rate: int) -> None:
        refused = self.engine.espeak_SetVoiceByName(voice.encode())
        for parameter, value in ((VOLUME, QUIET), (PITCH, pitch), (RATE, rate)):
            refused |= self.engine.espeak_SetParameter(parameter, value, 0)
        if refused:
            raise RuntimeError(f"eSpeak NG refuses the voice {voice}, pitch {pitch}, rate {rate}")

    def _take_symbol(self, mnemonic: bytes, kind: int) -> None:
        self.symbols.append((len(self.samples), mnemonic.decode()))

    def _hear(self, pcm: int | None, count: int, events: "ctypes._Pointer[Event]") -> int:
        """Note the phone events; the samples themselves have come by the hooks."""
        index = 0
        while events[index].type != END_OF_EVENTS:
            if events[index].type == PHONE_EVENT:
                name = ctypes.string_at(ctypes.addressof(events[index].id), 8)
                self.phones.append((events[index].sample, name.split(b"\0")[0].decode()))
            index += 1
        return 0

    def say(self, name: str, text: str) -> bytes:
        """Speak once. Returns the answer: a line of JSON and the samples, 16-bit in the machine's order."""
        spoken = text.encode()
        self.engine.espeak_ng_SetRandSeed(zlib.crc32(name.encode()))
        refused = self.engine.espeak_Synth(
            spoken, ctypes.c_size_t(len(spoken) + 1), 0, CHARACTER_POSITION, 0, UTF8, None, None
        )
        if refused or not self.phones or self.phones[-1][0] > len(self.samples):
            raise RuntimeError(f"eSpeak NG's hooks do not see every sample of this voice, at {name}")
        answer = {
            "name": name,
            "sample_rate": self.sample_rate,
            "samples": len(self.samples),
            "phones": self.phones,
            "symbols": self.symbols,
        }
        return json.dumps(answer).encode() + b"\n" + array.array("h", self.samples).tobytes()


def put(answer: bytes) -> None:
    """Write to stdout at once."""
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()


def say_in_a_child(speaker: Speaker, name: str, text: str) -> None:
    """Speak in a forked copy of this process, so that nothing said leaves a trace in the next utterance.

    Raises:
        RuntimeError: the child failed.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            put(speaker.say(name, text))
            status = 0
        finally:
            os._exit(status)
    if os.waitpid(child, 0)[1] != 0:
        raise RuntimeError(f"eSpeak NG failed at {name}: {text}")


def main() -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    utterances = request.pop("utterances")
    speaker = Speaker(**request)
    if not hasattr(os, "fork"):
        [(name, text)] = utterances
        put(speaker.say(name, text))
        return
    for name, text in utterances:
        say_in_a_child(speaker, name, text)


if __name__ == "__main__":
    main()
