"""Small files as `evaluate --json` writes them; the commands' tests read theirs with the report's readers."""

import json
from pathlib import Path
from typing import Any

from speechvq.metrics.summary import MetricSummary


def conversions() -> dict[str, Any]:
    """Of ann and ben into ben and cay, three sentences; one conversion was a whisper."""
    pitch = {"ann": 210.0, "ben": 110.0, "cay": 165.0}
    rows = [
        {
            "utterance": f"{source}_2",
            "source": source,
            "target": target,
            "converted_f0_hz": heard,
            "source_speaker_f0_hz": pitch[source],
            "target_speaker_f0_hz": pitch[target],
            "classified_as": vote,
        }
        for source, target, heard, vote in (
            ("ann", "ben", 112.0, "target"), ("ann", "cay", None, "other"), ("ben", "cay", 150.0, "target"),
        )
    ]  # fmt: skip
    figures = [
        MetricSummary(
            "f0_closer_to_target", "pitch nearer to the target's", "%", 2 / 3, 0.2, 0.9, 3, 0.5, 0.0, 1.0
        ),
        MetricSummary(
            "target_preferred", "target likelier than source", "%", 1.0, 0.44, 1.0, 3, 0.5, 0.0, 1.0
        ),
        MetricSummary(
            "log_mel_distance_db", "spectra away from the source's", "dB", 6.1, 5.2, 7.3, 3, 9.8, 0.0, 0.0
        ),
    ]
    summary: dict[str, dict[str, Any]] = {each.name: each._asdict() for each in figures}
    summary["log_mel_distance_db"]["target_reference"] = None  # JSON has no NaN
    return {"voices": 3, "conversions": rows, "summary": summary}


def purity() -> dict[str, Any]:
    """Of 225 codes and three phones."""
    figures = {
        "frames": 225, "dropped_frames": 0, "num_phones": 3, "majority_prior": 0.333, "phone_purity": 0.437,
        "phone_purity_heldout": None, "cluster_purity": 0.2, "pnmi": 0.034, "shuffled_phone_purity": 0.4,
        "shuffled_pnmi": 0.02, "active_codes": 8, "perplexity": 7.8, "bitrate_entropy": 148.2,
        "bitrate_max": 150.0,
    }  # fmt: skip
    bounds = {"phone_purity": [0.389, 0.471], "phone_purity_heldout": None, "pnmi": [0.012, 0.056]}
    protocols = ("all", "edges_trimmed")
    return {**dict.fromkeys(protocols, figures), "intervals": dict.fromkeys(protocols, bounds), "corpus": {}}


def baselines() -> dict[str, Any]:
    """k-means by two seeds, and the codes whose purity is known, under the name of their folder."""
    figures = purity()["all"]
    rows = {
        "k-means on MFCC": [figures | {"phone_purity": 0.25}, figures | {"phone_purity": 0.35}],
        "exp/run/codes": [figures],
    }
    return {"num_codes": 8, "frame_rate_hz": 50, "protocols": {"all": rows, "edges_trimmed": rows}}


def abx() -> dict[str, Any]:
    """Codes and one baseline, which could not be compared across speakers."""
    error = {"error": 0.123, "low": 0.1, "high": 0.15, "pairs": 2, "cells": 2, "triples": 9}
    none = {"error": None, "low": None, "high": None, "pairs": 0, "cells": 0, "triples": 0}
    return {
        "items": "phoneme", "context": "any", "distance": "equal or not", "within": error, "across": error,
        "baselines": {"MFCC": {"distance": "angle of features", "within": error, "across": none}},
    }  # fmt: skip


def write(path: Path, content: dict[str, Any]) -> Path:
    """The file."""
    path.write_text(json.dumps(content))
    return path
