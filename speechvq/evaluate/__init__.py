"""`python -m speechvq.evaluate SUBJECT`: measure something; a module for each subject."""

import importlib
import sys
from collections.abc import Sequence

SUBJECTS = {
    "conversion": "did the voice change, and did the sentence stay?",
    "purity": "are the codes phonemes?",
    "codebook": "which codes are used, for how long, and what they cost",
    "speakers": "how much of a voice is left in the codes?",
    "alignments": "how near are the phones' boundaries to those of a reference?",
    "abx": "are sounds of one phone nearer to one another than to another's?",
    "likelihood": "how many bits a sub-pixel do held-out pictures take?",
    "prior": "bits a code of a prior, beside n-grams",
    "generation": "are generated codes and sounds like real ones?",
    "rollout": "is what is imagined like what is really seen?",
    "baselines": "what units must beat, at one number of codes and one rate",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure a subject by its name; without one, list them. Exit code 0, or 2 for a user's mistake."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: speechvq.evaluate SUBJECT ...   (SUBJECT --help shows its flags)\n")
        print("\n".join(f"  {name:<12}{what}" for name, what in SUBJECTS.items()))
        return 0
    if arguments[0] not in SUBJECTS:
        print(
            f"speechvq.evaluate: error: no subject '{arguments[0]}'; there are {', '.join(SUBJECTS)}",
            file=sys.stderr,
        )
        return 2
    return importlib.import_module(f"speechvq.evaluate.{arguments[0]}").main(arguments[1:])
