"""Print where the outputs are, and check what the model should have learned.

The decoder must use the codes, and conversions must be closer in F0 to the target than to the source.
"""

import argparse
import json
import math
import statistics
from pathlib import Path

CODES_GAP_BITS = 0.3  # bits per sample; below it the decoder hardly uses the codes


def main() -> int:
    """Exit code 1 if an expectation does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--short", action="store_true", help="print only, for a shortened run")
    arguments = parser.parse_args()
    run = arguments.run
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    last = [line for line in lines if "codes_gap_bits" in line][-1]
    scores = json.loads((run / "conversion.json").read_text())
    print(f"audio     {run / 'converted'}/SPEAKER/*.wav")
    print(f"plot      {run / 'conversion.png'}")
    print(f"numbers   {run / 'conversion.json'}, {run / 'metrics.jsonl'}")
    print(f"report    {run / 'report.html'}")
    print(
        f"held-out  {last['heldout_bits']:.3f} bits per sample, codes gap {last['codes_gap_bits']:.3f} bits"
    )
    return 0 if arguments.short or check(last["codes_gap_bits"], scores) else 1


def check(gap: float, scores: dict) -> bool:
    """Print each expectation and whether it holds."""
    expected = {f"codes gap over {CODES_GAP_BITS} bits: {gap:.3f}": gap > CODES_GAP_BITS}
    for target in sorted({each["target"] for each in scores["conversions"]}):
        to_target, to_source = distances(scores["conversions"], target)
        line = f"{target}: F0 {to_target:.1f} semitones from the target's, {to_source:.1f} from the source's"
        expected[line] = to_target < to_source
    for line, holds in expected.items():
        print(f"{'yes' if holds else 'NO '}  {line}")
    return all(expected.values())


def distances(conversions: list[dict], target: str) -> tuple[float, float]:
    """Median distance of the conversions' F0 from the target's and from the source's, in semitones."""
    names = ("converted_f0_hz", "target_speaker_f0_hz", "source_f0_hz")
    others = [each for each in conversions if each["target"] == target != each["source"]]
    rows = [each for each in others if all(each[name] for name in names)]
    if not rows:
        return math.inf, 0.0  # no sentence is voiced

    def distance(to: str) -> float:
        return statistics.median(abs(12 * math.log2(each["converted_f0_hz"] / each[to])) for each in rows)

    return distance("target_speaker_f0_hz"), distance("source_f0_hz")


if __name__ == "__main__":
    raise SystemExit(main())
