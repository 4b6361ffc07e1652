"""`python -m speechvq.evaluate SUBJECT`: metrics of models, codes and recordings; one module per subject."""

import importlib
import sys
from collections.abc import Sequence

from speechvq.cli.parser import version_line

SUBJECTS = {
    "conversion": "speaker similarity, F0 and intelligibility of converted speech",
    "stages": "what each stage of a model costs in words, quality, speaker and F0",
    "voices": "quality of each speaker of a model, by resynthesis",
    "purity": "phone purity and PNMI of codes against phone alignments",
    "codebook": "codebook usage, code durations and bit rate",
    "speakers": "speaker information in codes",
    "alignments": "phone boundary errors against a reference",
    "abx": "ABX phone discriminability of codes or features",
    "likelihood": "bits per dimension of held-out images",
    "compression": "rate and quality of image codes beside JPEG and WebP",
    "prior": "bits per code of a prior, beside n-grams",
    "generation": "generated codes and audio compared with real speech",
    "rollout": "quality of the videos that a video prior samples",
    "baselines": "phone purity of baseline units at the same codebook size and rate",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subject by its name, or list all of them. Exit code 0, or 2 for a user's mistake."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: python -m speechvq.evaluate SUBJECT ...   (--help shows the flags of a subject)\n")
        print("\n".join(f"  {name:<12}{summary}" for name, summary in SUBJECTS.items()))
        return 0
    if arguments[0] == "--version":
        print(version_line())
        return 0
    if arguments[0] not in SUBJECTS:
        print(
            f"speechvq.evaluate: error: no subject '{arguments[0]}'; there are {', '.join(SUBJECTS)}",
            file=sys.stderr,
        )
        return 2
    return importlib.import_module(f"speechvq.evaluate.{arguments[0]}").main(arguments[1:])
