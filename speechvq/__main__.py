"""`python -m speechvq`: list the commands, or run one of them."""

import importlib
import sys
from collections.abc import Sequence

from speechvq.cli.parser import version_line

COMMANDS = {
    "prepare": "prepare a published corpus for training",
    "train": "train a model, or resume a run",
    "encode": "encode audio as discrete codes",
    "export": "write a speech model as ONNX graphs",
    "decode": "synthesize speech from codes",
    "convert": "convert speech to another speaker's voice",
    "live": "convert speech while it is spoken, from a microphone, pipe or file",
    "enroll": "add a new speaker to a trained model",
    "generate": "sample speech from a trained prior, or continue a recording",
    "align": "align phones with recordings by their transcripts",
    "evaluate": "measure codes, conversions and likelihoods",
    "draw": "reconstruct and sample images",
    "imagine": "sample video frames from initial frames and actions",
    "report": "write an HTML report of a run",
    "demo": "convert, enroll, generate and look at units in a browser",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command by its name; --version prints the version. Without a name, list the commands."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: python -m speechvq.COMMAND ...   (--help shows the flags of a command)\n")
        print("\n".join(f"  {name:<10}{what}" for name, what in COMMANDS.items()))
        return 0
    if arguments[0] == "--version":
        print(version_line())
        return 0
    if arguments[0] not in COMMANDS:
        print(
            f"speechvq: error: no command '{arguments[0]}'; there are {', '.join(COMMANDS)}", file=sys.stderr
        )
        return 2
    return importlib.import_module(f"speechvq.{arguments[0]}").main(arguments[1:])


if __name__ == "__main__":
    raise SystemExit(main())
