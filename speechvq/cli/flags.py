"""Flags that several commands share: one name, one help text and one check each."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from speechvq import DEFAULT_MODEL
from speechvq.errors import UserError
from speechvq.runtime.device import AUTO, EXPECTED, is_device_name
from speechvq.runtime.engine_choice import ENGINES, LOCAL

MAX_SEED = 2**63 - 1
MAX_TEMPERATURE = 100


class Parser(Protocol):
    """An ArgumentParser, or a group of one."""

    def add_argument(self, *args: Any, **kwargs: Any) -> argparse.Action:
        """As in argparse."""
        ...


class Checked(argparse.Action):
    """Stores a value after a check.

    For an invalid value, an argparse type function prints the whole usage. This action raises one line.

    Args:
        check: whether a value is accepted.
        remedy: what to give instead, for the message.
    """

    def __init__(self, *args: Any, check: Callable[[Any], bool], remedy: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.check, self.remedy = check, remedy

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Store the value.

        Raises:
            UserError: the value is not accepted.
        """
        if not self.check(values):
            raise UserError(f"{option_string} {values}: {self.remedy}")
        setattr(namespace, self.dest, values)


def add_number(
    parser: Parser,
    name: str,
    kind: type[int] | type[float],
    low: float,
    high: float,
    *,
    default: float | None,
    help: str,
    metavar: str | None = None,
) -> None:
    """A number in [low, high]."""
    parser.add_argument(
        name,
        type=kind,
        default=default,
        action=Checked,
        check=lambda value: low <= value <= high,
        remedy=f"give {low} to {high}",
        help=help,
        metavar=metavar,
    )


def add_src(parser: Parser, *, required: bool = True) -> None:
    """`--src`: what `cli.sources.find_sources` reads."""
    parser.add_argument(
        "--src", type=Path, required=required, help="audio file, folder of audio files, or manifest"
    )


def add_split(parser: Parser) -> None:
    """`--split` of a manifest; "" for all."""
    parser.add_argument("--split", default="", help="only this split of the manifest (default: all)")


def add_scored_split(parser: Parser) -> None:
    """`--split` that is scored; the test split unless another is given."""
    parser.add_argument("--split", default="test", help="split that is scored")


def add_limit(parser: Parser, *, of: str = "recordings") -> None:
    """`--limit`; 0 for all.

    Args:
        of: what is counted.
    """
    parser.add_argument(
        "--limit",
        type=int,
        default=0,
        action=Checked,
        check=lambda value: value >= 0,
        remedy=f"give the number of {of}, or 0 for all",
        help=f"at most this many {of}, evenly spaced over the list (default: all)",
    )


def add_model(parser: Parser) -> None:
    """`--model`: a speech model; the bundled one unless another is given."""
    parser.add_argument(
        "--model",
        type=Path,
        default=Path(DEFAULT_MODEL),
        help="model directory, run directory, bundled model or hub:OWNER/NAME[@REVISION]",
    )


def add_seed(parser: Parser, purpose: str) -> None:
    """`--seed`; 0 unless another is given.

    Args:
        purpose: what is drawn, for example "sampling".
    """
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        action=Checked,
        check=lambda value: 0 <= value <= MAX_SEED,
        remedy="give a whole number from 0 to 2^63 - 1",
        help=f"random seed of {purpose}",
    )


def add_temperature(parser: Parser, name: str = "--temperature", *, of: str = "sampling") -> None:
    """`--temperature`; 1 unless another is given."""
    add_number(
        parser,
        name,
        float,
        0,
        MAX_TEMPERATURE,
        default=1.0,
        help=f"temperature of {of}; below 1 favors likely values",
    )


def add_top_p(parser: Parser) -> None:
    """`--top-p`; 1 unless another is given."""
    parser.add_argument(
        "--top-p",
        type=float,
        default=1.0,
        action=Checked,
        check=lambda value: 0 < value <= 1,
        remedy="give more than 0, at most 1",
        help="sample from the likeliest values of this total probability (default: %(default)s, all values)",
    )


def wavenet_group(parser: argparse.ArgumentParser) -> Parser:
    """The group of options that only a WaveNet decoder has."""
    return parser.add_argument_group(
        "WaveNet decoder",
        "A model with a vocoder, such as the default model, refuses values other than the defaults.",
    )


def add_harmonic_boost(parser: Parser) -> None:
    """`--harmonic-boost`; 0.9 unless another is given."""
    add_number(
        parser,
        "--harmonic-boost",
        float,
        0,
        1,
        default=0.9,
        help="fraction of the noise energy in voiced speech that is moved to the harmonics ",
    )


def add_device(parser: Parser) -> None:
    """`--device`, which `runtime.device.find_device` turns into a device."""
    parser.add_argument(
        "--device",
        default=AUTO,
        action=Checked,
        check=is_device_name,
        remedy=EXPECTED,
        help="cpu, cuda, cuda:N or mps (default: auto, the first GPU of CUDA if there is one, else cpu)",
    )


def add_json(parser: Parser) -> None:
    """`--json`: a file for the results."""
    parser.add_argument("--json", type=Path, help="write the results to this JSON file")


def add_jobs(parser: Parser, *, default: str = "one per core") -> None:
    """`--jobs`: number of processes; None for the default.

    Args:
        parser: of the command.
        default: what the command does without it.
    """
    parser.add_argument(
        "--jobs",
        type=int,
        action=Checked,
        check=lambda value: value >= 1,
        remedy="give at least one process",
        help=f"number of processes (default: {default})",
    )


def add_engine(parser: Parser) -> None:
    """`--engine` and `--address`: where the work on each utterance is done, see `runtime.engine`."""
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default=LOCAL,
        help="local: processes of this computer; ray: Ray Data (extra ray)",
    )
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="with --engine ray: a running cluster, or auto for the one of this computer (default: Ray is "
        "started on this computer, and ended afterwards)",
    )


def add_manifest(parser: Parser, purpose: str, *, required: bool = False) -> None:
    """`--manifest`.

    Args:
        parser: of the command.
        purpose: what is read from it, for example "speakers".
        required: whether the command needs it.
    """
    help = f"manifest.tsv or its folder, for {purpose}"
    parser.add_argument("--manifest", type=Path, required=required, help=help)


def add_codes(parser: Parser, *, required: bool = True) -> None:
    """`--codes`: a codes directory."""
    parser.add_argument(
        "--codes",
        type=Path,
        required=required,
        help="codes directory: meta.json, and integers (N,) in UTT.npy, or .parquet or .txt files of encode",
    )


def add_alignments(parser: Parser, *, required: bool = True) -> None:
    """`--alignments`: phone alignments."""
    parser.add_argument(
        "--alignments",
        type=Path,
        required=required,
        help="phone alignments: a folder of .lab, .PHN, .TextGrid or .ctm files, or one .ctm file",
    )


def add_keep_labels(parser: Parser) -> None:
    """`--keep-labels` of alignments; merged by default."""
    parser.add_argument(
        "--keep-labels",
        action="store_true",
        help="keep stress digits (AH0), word positions (AH_B) and names of silence (sp, sil) as labels "
        "(default: merged into AH and SIL)",
    )


def add_shift_alignments(parser: Parser) -> None:
    """`--shift-alignments` of recordings that `prepare` has trimmed."""
    parser.add_argument(
        "--shift-alignments",
        action="store_true",
        help="the alignments are of the recordings before `prepare` trimmed them; shift them by the column "
        "start of the manifest (default: times are those of the prepared audio)",
    )


def add_tier(parser: Parser) -> None:
    """`--tier` of TextGrid alignments."""
    parser.add_argument(
        "--tier", help="tier of the TextGrids (default: phones, phone, MAU, or the only tier)"
    )


def add_image_model(parser: Parser) -> None:
    """`--run`, `--prior`, `--second-stage` and `--data` of the commands on image models."""
    parser.add_argument(
        "--run",
        type=Path,
        required=True,
        help="image model: run, for example exp/cifar10/vqvae, or hub:OWNER/NAME",
    )
    parser.add_argument(
        "--prior", type=Path, help="PixelCNN prior over the model's codes: run or hub:OWNER/NAME"
    )
    parser.add_argument(
        "--second-stage", type=Path, help="second-stage VQ-VAE over the model's codes: run or hub:OWNER/NAME"
    )
    parser.add_argument("--data", type=Path, help="prepared images (default: those of the model's run)")


def add_coded_images(parser: Parser) -> None:
    """`--run`, `--prior` and `--data` of the commands on image models with codes."""
    parser.add_argument(
        "--run",
        type=Path,
        required=True,
        help="VQ-VAE: run, for example exp/imagenet/vqvae, or hub:OWNER/NAME",
    )
    parser.add_argument(
        "--prior", type=Path, help="PixelCNN prior over the model's codes: run or hub:OWNER/NAME"
    )
    parser.add_argument("--data", type=Path, help="prepared images (default: those of the model's run)")


def add_video_prior(parser: Parser) -> None:
    """`--prior`, `--model` and `--data` of the commands on video priors."""
    parser.add_argument(
        "--prior", type=Path, required=True, help="run of a video prior, for example exp/video/prior"
    )
    parser.add_argument(
        "--model", type=Path, help="run of the image model (default: that of the prior's run)"
    )
    parser.add_argument("--data", type=Path, help="recording (default: that of the prior's run)")


def add_whisper(parser: Parser) -> None:
    """`--whisper` and `--language`: the recognizer of the word error rate."""
    parser.add_argument(
        "--whisper",
        metavar="NAME|DIR",
        help="measure word and character error rates by Whisper: a name of faster-whisper such as base, or "
        "the directory of a converted model (extra words)",
    )
    parser.add_argument("--language", default="en", help="language of the speech, as Whisper's code")
