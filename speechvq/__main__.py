"""`python -m speechvq`: lists the commands and forwards to them."""

import importlib
import sys
from collections.abc import Sequence

COMMANDS = {
    "prepare": "a corpus as it was published becomes one that training reads",
    "train": "learn a model from a prepared corpus, or go on where a run stopped",
    "encode": "sounds to codes",
    "convert": "the same sentence in another voice",
    "enroll": "a new voice for a model that has never heard it",
    "generate": "speech from nothing, or a recording continued",
    "align": "where each phone lies in recordings whose words are known",
    "evaluate": "measure conversions against their sources and targets",
    "draw": "what an image model makes of pictures, and pictures out of nothing",
    "imagine": "what would be seen after some frames and a row of actions",
    "report": "one page that shows a run: curves, sounds, spectrograms and codes",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command by its name; without one, list them."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: speechvq COMMAND ...   (COMMAND --help shows its flags)\n")
        print("\n".join(f"  {name:<10}{what}" for name, what in COMMANDS.items()))
        return 0
    if arguments[0] not in COMMANDS:
        print(
            f"speechvq: error: no command '{arguments[0]}'; there are {', '.join(COMMANDS)}", file=sys.stderr
        )
        return 2
    return importlib.import_module(f"speechvq.{arguments[0]}").main(arguments[1:])


if __name__ == "__main__":
    raise SystemExit(main())
