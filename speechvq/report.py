"""`python -m speechvq.report`: a page that shows how a run learnt, what its codes are and how it sounds."""

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from speechvq.audio.manifest import Utterance, read_manifest
from speechvq.audio.waveform import read_waveform
from speechvq.command import run
from speechvq.config import read_yaml
from speechvq.errors import UserError
from speechvq.evaluate.jobs import Job, find_jobs
from speechvq.evaluation.summary import Figure
from speechvq.page import Example, Generated, Page, write_page
from speechvq.pictures.conversion import draw_conversion
from speechvq.pictures.curve import draw_curve

CONFIG, METRICS = "config.yaml", "metrics.jsonl"
PANELS = 2  # voices in the picture
GENERATED = 12  # sounds from nothing, at most


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.report", description=__doc__)
    parser.add_argument(
        "--run", type=Path, required=True, help="what train --out made, for example exp/vctk64"
    )
    parser.add_argument(
        "--converted", type=Path, help="DIR/TARGET/UTT.wav, as convert makes it: sounds for the page"
    )
    parser.add_argument("--manifest", type=Path, help="of the sources (default: what the run was trained on)")
    parser.add_argument("--scores", type=Path, help="what `evaluate conversion --json` wrote")
    parser.add_argument("--generated", type=Path, help="what generate --out made: speech from nothing")
    parser.add_argument(
        "--out", type=Path, help="the page (default RUN/report.html); its pictures go beside it"
    )
    parser.add_argument("--examples", type=int, default=6, help="sentences to listen to (default 6)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    out: Path = arguments.out or arguments.run / "report.html"
    if out.suffix not in (".html", ".htm"):
        raise UserError(f"--out {out}: name the page something.html")
    if arguments.examples < 1:
        raise UserError(f"--examples {arguments.examples}: show one sentence at least")
    config, metrics = read_run(arguments.run)
    scores = read_scores(arguments.scores) if arguments.scores else []
    jobs = _jobs(arguments, config) if arguments.converted else []
    draw_curve(out.parent / "curve.png", metrics)
    if jobs:
        _draw_first(arguments.run, jobs, out.parent / "conversion.png")
    page = Page(
        name=arguments.run.resolve().name,
        facts=_facts(metrics),
        curve=out.parent / "curve.png",
        conversion=out.parent / "conversion.png" if jobs else None,
        examples=_examples(jobs, arguments.examples),
        scores=scores,
        generated=_generated(arguments.generated) if arguments.generated else Generated({}, None),
        config=(arguments.run / CONFIG).read_text(encoding="utf-8"),
    )
    write_page(out, page)
    print(out)


def read_run(run: Path) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """A run's configuration and the lines of its metrics; a line that a crash cut short is left out.

    Raises:
        UserError: no run there, or nothing measured yet.
    """
    if not (run / CONFIG).is_file():
        raise UserError(
            f"{run}: no run here ({CONFIG} is missing); give what `python -m speechvq.train --out` made"
        )
    config = read_yaml(run / CONFIG)
    try:
        text = (run / METRICS).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{run / METRICS}: {error.strerror}; train for some steps first") from None
    metrics = [line for line in map(_line, text.splitlines()) if line]
    if not metrics:
        raise UserError(f"{run / METRICS}: nothing measured yet; train for some steps first")
    return config, metrics


def read_scores(path: Path) -> list[Figure]:
    """The summary that `evaluate conversion --json` wrote.

    Raises:
        UserError: no such file, or another content.
    """
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))["summary"]
        figures = [
            Figure(**{k: math.nan if v is None else v for k, v in each.items()}) for each in summary.values()
        ]
        for figure in figures:
            if not isinstance(figure.label, str) or not isinstance(figure.unit, str):
                raise TypeError
            sum(figure[3:])  # numbers, all of them
    except OSError as error:
        raise UserError(
            f"{path}: {error.strerror}; write it with `evaluate conversion --json {path}`"
        ) from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise UserError(
            f"{path}: not the numbers that `evaluate conversion --json` writes; write it again"
        ) from None
    return figures


def _line(text: str) -> dict[str, float]:
    """Numbers of one line of metrics; empty for a line that is none."""
    try:
        values = json.loads(text)
        numbers = {k: float(v) for k, v in values.items() if isinstance(v, (int, float)) and math.isfinite(v)}
    except (ValueError, AttributeError, RecursionError, OverflowError):
        return {}
    return numbers if "step" in numbers else {}


def _jobs(arguments: argparse.Namespace, config: dict[str, Any]) -> list[Job]:
    """The conversions to show, sentence by sentence."""
    data = config.get("data")
    manifest = arguments.manifest or (data.get("manifest") if isinstance(data, dict) else None)
    if not manifest:
        raise UserError("--manifest is needed: the run's configuration names none")
    jobs = find_jobs(arguments.converted, read_manifest(manifest))
    return sorted(jobs, key=lambda job: (job.utterance.utt, job.target))


def _facts(metrics: list[dict[str, float]]) -> dict[str, str]:
    """What a visitor wants to know first; the newest value of each."""
    newest: dict[str, float] = {}
    for line in metrics:
        newest.update(line)
    shown = {
        "steps": ("step", "{:.0f}"),
        "held-out loss": ("heldout_bits", "{:.3f} bits a sample"),
        "lost by another sentence's codes": ("codes_gap_bits", "{:.3f} bits"),
        "lost by another speaker's name": ("speaker_gap_bits", "{:.3f} bits"),
        "codes in use": ("heldout_active_codes", "{:.0f}"),
        "perplexity": ("heldout_perplexity", "{:.0f}"),
    }
    return {label: form.format(newest[key]) for label, (key, form) in shown.items() if key in newest}


def _draw_first(run: Path, jobs: Sequence[Job], path: Path) -> None:
    """The picture of the first sentence; its codes too, if the run has a model already."""
    first = jobs[0].utterance
    source = read_waveform(first.path)
    converted = {job.target: read_waveform(job.path) for job in jobs if job.utterance == first}
    some = dict(list(converted.items())[:PANELS])
    title = f"{first.speaker}, sentence {first.utt}"
    if not (run / "model").is_dir():
        draw_conversion(path, source, None, some, title=title)
        return
    from speechvq.speech.model_directory import load_model  # a second to import

    model = load_model(run)
    codes, rate = model.encode_wave(source), model.config.frame_rate
    draw_conversion(
        path, source, codes, some, title=title, frame_rate=rate, num_codes=model.config.quantizer.num_codes
    )


def _examples(jobs: Sequence[Job], count: int) -> list[Example]:
    """The first sentences, each with all its conversions."""
    sentences: dict[Utterance, dict[str, Path]] = {}
    for job in jobs:
        sentences.setdefault(job.utterance, {})[job.target] = job.path
    return [
        Example(utterance.utt, utterance.speaker, read_waveform(utterance.path), converted)
        for utterance, converted in list(sentences.items())[:count]
    ]


def _generated(folder: Path) -> Generated:
    """The sounds that `generate` listed, and its picture."""
    return Generated({u.utt: u.path for u in read_manifest(folder)[:GENERATED]}, folder / "generated.png")


if __name__ == "__main__":
    raise SystemExit(main())
