"""`python -m speechvq.live`: convert speech while it is spoken, from a microphone, a pipe or a file.

Microphone to loudspeaker; and a file, as if it were spoken now:

  python -m speechvq.live --target-speaker 1088
  python -m speechvq.live --target-speaker 1088 --input a.wav --output b.wav --realtime

Raw samples in a pipe, with arecord and aplay, with sox, and with ffmpeg at another rate:

  arecord -q -f S16_LE -r 16000 -c 1 -t raw |
    python -m speechvq.live --target-speaker 1088 --input - --output - |
    aplay -q -f S16_LE -r 16000 -c 1 -t raw

  sox a.wav -t raw -e signed -b 16 -c 1 -r 16000 - |
    python -m speechvq.live --target-speaker 1088 --input - --output - |
    sox -t raw -e signed -b 16 -c 1 -r 16000 - b.wav

  ffmpeg -v error -i a.wav -f s16le -ac 1 -ar 48000 - |
    python -m speechvq.live --target-speaker 1088 --input - --output - --rate 48000 |
    ffmpeg -v error -f s16le -ar 48000 -i - b.wav
"""

import argparse
import gc
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from speechvq.audio.waveform import SAMPLE_RATE, WRITABLE_SUFFIXES
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.sources import check_not_overwritten
from speechvq.errors import UserError
from speechvq.io.names import existing
from speechvq.live.endpoints import PIPE
from speechvq.runtime.logging import logger

if TYPE_CHECKING:
    from speechvq.live.endpoints import Input, Output
    from speechvq.speech.streaming.conversion import ConversionStream

MIN_RATE, MAX_RATE = 8_000, 192_000  # Hz, of a pipe
WARM_UP_SECONDS = 0.3  # of silence, converted before the devices are opened


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("live", __doc__)
    parser.add_argument("--target-speaker", help="name of a speaker of the model, or a file made by enroll")
    flags.add_model(parser)
    parser.add_argument(
        "--input",
        help="number or name of a microphone, an audio file, or - for raw 16-bit little-endian mono samples "
        "from stdin (default: the system's microphone)",
    )
    parser.add_argument(
        "--output",
        help="number or name of a loudspeaker, a .wav or .flac file, or - for raw samples to stdout "
        "(default: the system's loudspeaker)",
    )
    parser.add_argument("--list-devices", action="store_true", help="print the sound devices, and exit")
    flags.add_number(
        parser, "--rate", int, MIN_RATE, MAX_RATE, default=SAMPLE_RATE, help="samples per second of the pipes"
    )
    parser.add_argument(
        "--realtime",
        action="store_true",
        help="take an input file at the pace of a microphone; without it, as fast as possible unless a "
        "loudspeaker plays it",
    )
    parser.add_argument(
        "--block-ms",
        type=int,
        default=20,
        action=flags.Checked,
        check=lambda value: 10 <= value <= 200 and value % 10 == 0,
        remedy="give a multiple of 10, 10 to 200",
        help="milliseconds converted at once; a part of the latency",
    )
    flags.add_number(
        parser,
        "--harmonic-boost",
        float,
        0,
        1,
        default=0.9,
        help="fraction of the noise energy in voiced speech that is moved to the harmonics ",
    )
    flags.add_seed(parser, "the noise")
    parser.add_argument("--quiet", action="store_true", help="print warnings and errors alone")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 at the end of the input, 2 for a user's mistake, 130 after Ctrl-C."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    if arguments.quiet:
        logger.setLevel("WARNING")  # until the command ends, see `log_to_stderr`
    if arguments.list_devices:
        from speechvq.live.devices import device_table, load_sounddevice

        print(device_table(load_sounddevice()))
        return
    source, target = _endpoint(arguments.input), _endpoint(arguments.output)
    _check(arguments, source, target)
    stream = _stream(arguments)
    with ExitStack() as stack:
        _convert(arguments, stream, *_open(arguments, source, target, stack))


def _endpoint(text: str | None) -> Path | int | str | None:
    """A file, or the number or name of a device; "-" is a pipe, and None the default device."""
    if text is None or text == PIPE:
        return text
    path = existing(Path(text))
    if path.exists() or path.suffix.lower() in WRITABLE_SUFFIXES or "/" in text:
        return path
    return int(text) if text.isdecimal() else text


def _check(
    arguments: argparse.Namespace, source: Path | int | str | None, target: Path | int | str | None
) -> None:
    """Refuse mistakes that show before the model is loaded.

    Raises:
        UserError: one was found.
    """
    from speechvq.live.devices import load_sounddevice
    from speechvq.live.endpoints import pipe_descriptor

    if not arguments.target_speaker:
        raise UserError("--target-speaker is needed (`convert --list-speakers` shows the speakers)")
    if arguments.realtime and not isinstance(source, Path):
        raise UserError("--realtime is for a file; give --input FILE, or leave it out")
    if isinstance(target, Path):
        if target.suffix.lower() not in WRITABLE_SUFFIXES:
            raise UserError(f"{target}: only .wav and .flac are written; name it {target.stem}.wav")
        check_not_overwritten([source] if isinstance(source, Path) else [], [target])
    for number, (flag, end) in enumerate((("--input", source), ("--output", target))):
        if end == PIPE:
            pipe_descriptor(flag, number)
    if not all(isinstance(end, Path) or end == PIPE for end in (source, target)):
        load_sounddevice()


def _stream(arguments: argparse.Namespace) -> "ConversionStream":
    """A stream to the target speaker, whose code has been loaded and compiled.

    Raises:
        UserError: no such model or speaker, or a model that cannot convert a stream.
    """
    import numpy as np
    import torch

    import speechvq
    from speechvq.runtime.compilation.notice import compile_notice
    from speechvq.speech.speakers.voice_file import add_voice_files
    from speechvq.speech.speakers.voice_name import speaker_names
    from speechvq.speech.streaming.conversion import check_can_stream

    torch.set_num_threads(1)  # blocks are small: a second thread would only add delays
    model = speechvq.load(arguments.model)
    try:
        check_can_stream(model)
    except UserError as error:
        raise UserError(f"{arguments.model}: {error}") from error
    add_voice_files(model, [arguments.target_speaker])
    [speaker] = speaker_names([arguments.target_speaker])

    def make() -> "ConversionStream":
        return model.stream(speaker, arguments.seed, arguments.harmonic_boost)

    with compile_notice("live conversion"):
        make().push(np.zeros(round(WARM_UP_SECONDS * SAMPLE_RATE), np.float32))
    stream = make()
    gc.collect()
    gc.freeze()  # what exists now stays: a collection of it would take as long as several blocks
    return stream


def _open(
    arguments: argparse.Namespace,
    source: Path | int | str | None,
    target: Path | int | str | None,
    stack: ExitStack,
) -> "tuple[Input, Output]":
    """Input and output; the stack closes them.

    Raises:
        UserError: a missing file or device, or one that cannot be opened.
    """
    from speechvq.live import devices, endpoints

    def samples(rate: int) -> int:
        return round(arguments.block_ms * rate / 1000)

    block_ms, plays = arguments.block_ms, not isinstance(target, Path) and target != PIPE
    taken: Input
    if isinstance(source, Path):
        paced = arguments.realtime or plays
        taken = endpoints.FileInput(source, SAMPLE_RATE, samples(SAMPLE_RATE), paced=paced)
    given: Output
    if isinstance(target, Path):
        given = stack.enter_context(endpoints.open_file_output(target, SAMPLE_RATE))
    elif target == PIPE:
        given = endpoints.RawOutput(endpoints.pipe_descriptor("--output", 1), arguments.rate)
    else:
        given = devices.Loudspeaker(devices.load_sounddevice(), target, block_ms, stack)
    if source == PIPE:
        descriptor = endpoints.pipe_descriptor("--input", 0)
        taken = endpoints.RawInput(descriptor, arguments.rate, samples(arguments.rate))
    elif not isinstance(source, Path):
        taken = devices.Microphone(devices.load_sounddevice(), source, block_ms, stack)
    return taken, given


def _convert(
    arguments: argparse.Namespace, stream: "ConversionStream", source: "Input", target: "Output"
) -> None:
    """Convert until the input ends, the output closes or a signal comes."""
    from speechvq.live.converter import LiveConverter
    from speechvq.live.status import Status

    converter = LiveConverter(stream, source.rate, target.rate, arguments.block_ms)
    status = Status(converter, source, target, quiet=arguments.quiet)
    try:
        while (block := source.read()) is not None:
            if not target.write(converter.push(block)):
                return
            status.update()
        target.write(converter.flush())
        target.finish()
    finally:
        status.finish()
