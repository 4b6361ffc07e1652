"""Say where everything is, and whether the model learnt: the codes matter, and the voices have their own pitch."""

import argparse
import json
from pathlib import Path

CODES_GAP_BITS = 0.3  # a sample; less means the decoder hardly listens to the codes


def main() -> int:
    """Exit code 1 when the run did not learn what it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--short", action="store_true", help="report, but expect nothing of a shortened run")
    arguments = parser.parse_args()
    run = arguments.run
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    last = [line for line in lines if "codes_gap_bits" in line][-1]
    scores = json.loads((run / "conversion.json").read_text())
    print(f"sounds    {run / 'converted'}/VOICE/*.wav")
    print(f"picture   {run / 'conversion.png'}")
    print(f"numbers   {run / 'conversion.json'}, {run / 'metrics.jsonl'}")
    print(f"all       {run / 'report.html'}")
    print(f"held-out  {last['heldout_bits']:.3f} bits a sample, codes gap {last['codes_gap_bits']:.3f} bits")
    return 0 if arguments.short or learnt(last["codes_gap_bits"], scores) else 1


def learnt(gap: float, scores: dict) -> bool:
    """Print each expectation and whether it holds."""
    passed = gap > CODES_GAP_BITS
    print(f"{'yes' if passed else 'NO '}  codes gap over {CODES_GAP_BITS} bits: {gap:.3f}")
    return passed


if __name__ == "__main__":
    raise SystemExit(main())
