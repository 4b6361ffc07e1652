"""The parts of a page that lie in the run's folder, and the commands that make those that do not."""

import argparse
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from speechvq.data.manifest import FILE_NAME

NO_SPEAKER = "NAME"  # of a command, where the user chooses


class Part(NamedTuple):
    """A part of a page: the flag that names it, where it is looked for, and the command that makes it."""

    flag: str
    title: str
    places: tuple[
        str, ...
    ]  # first existing one; {run} is the run directory, {data} the folder of its manifest
    command: str
    needs: str = ""  # flag of another part, without which this one is not shown


class MissingPart(NamedTuple):
    """A part that the page lacks."""

    title: str
    command: str  # makes it


_CONVERT = "convert --model {run} --src {data} --split test --limit 6"
_SCORED = "--codes {run}/codes --alignments {alignments}"
SPEECH = (
    Part("alignments", "phone alignments", ("{data}/lab", "{data}/aligned"),
         "align --audio {data} --split test --text {data}/txt --out {data}/aligned"),
    Part("converted", "conversions", ("{run}/converted",),
         _CONVERT + " --target-speaker NAME --out {run}/converted"),
    Part("resynthesis", "resynthesis", ("{run}/resynthesis",),
         _CONVERT + " --target-speaker own --out {run}/resynthesis", needs="converted"),
    Part("scores", "measures of the conversions", ("{run}/conversion.json",),
         "evaluate conversion --converted {run}/converted --resynthesis {run}/resynthesis --manifest {data} "
         "--json {run}/conversion.json"),
    Part("codes", "codes", ("{run}/codes",),
         "encode --model {run} --src {data} --split test --out {run}/codes", needs="alignments"),
    Part("purity", "phone purity", ("{run}/purity.json",),
         f"evaluate purity {_SCORED} --manifest {{data}} --json {{run}}/purity.json"),
    Part("baselines", "baselines of phone purity", ("{run}/baselines.json",),
         f"evaluate baselines --corpus {{data}} {_SCORED} --json {{run}}/baselines.json"),
    Part("abx", "ABX error", ("{run}/abx.json",),
         f"evaluate abx --model {{run}} {_SCORED} --manifest {{data}} --split test --json {{run}}/abx.json"),
    Part("generated", "generated speech", ("{run}/generated",),
         "generate --model {run} --prior {run}/prior --out {run}/generated"),
)  # fmt: skip
OPTIONAL = (  # without a word if there are none: most corpora have no unseen speakers
    Part("unseen_purity", "", ("{run}/purity_unseen.json",), ""),
    Part("unseen_baselines", "", ("{run}/baselines_unseen.json",), ""),
    Part("stages", "", ("{run}/stages.json",), ""),
)
IMAGES = (
    Part("likelihood", "likelihood", ("{run}/likelihood.json", "{run}.json"),
         "evaluate likelihood --run {run} --json {run}/likelihood.json"),
)  # fmt: skip
VIDEO = (
    Part("rollout", "measures of sampled videos", ("{run}/rollout.json",),
         "evaluate rollout --prior {run} --json {run}/rollout.json"),
)  # fmt: skip
_BY_MODEL: dict[str, Sequence[Part]] = {
    "speech": SPEECH + OPTIONAL,
    "image_vae": IMAGES,
    "image_vimco": IMAGES,
    "image_vqvae": IMAGES,
    "video_prior": VIDEO,
}


def collect_parts(arguments: argparse.Namespace, config: Mapping[str, Any]) -> list[MissingPart]:
    """Fill the flags that were not given with what lies in the run's folder.

    Args:
        arguments: of the report; changed in place.
        config: of the run.

    Returns:
        The parts that neither a flag nor the folder has.
    """
    model, missing = config.get("model"), []
    kind = model.get("kind", "speech") if isinstance(model, dict) else "speech"
    places = {"run": str(arguments.run), "data": str(_data_folder(arguments, config))}
    for part in _BY_MODEL.get(kind, ()) if isinstance(kind, str) else ():
        if getattr(arguments, part.flag):
            continue
        found = [Path(place.format(**places)) for place in part.places]
        existing = [path for path in found if path.exists() and _is_readable(part, places)]
        if existing and (not part.needs or getattr(arguments, part.needs)):
            setattr(arguments, part.flag, existing[0])
        elif part.command:
            missing.append((part, existing))
    quoted = {name: shlex.quote(place) for name, place in places.items()}
    quoted["alignments"] = shlex.quote(str(arguments.alignments or f"{places['data']}/aligned"))
    return [
        MissingPart(part.title, f"python -m speechvq.{part.command.format(**quoted)}")
        for part, existing in missing
        if not existing
    ]


def _data_folder(arguments: argparse.Namespace, config: Mapping[str, Any]) -> Path:
    """Folder of the manifest: of --manifest, else of the run's training."""
    data = config.get("data")
    named = arguments.manifest or (data.get("manifest") if isinstance(data, dict) else None) or "DATA"
    return Path(named).parent if Path(named).name == FILE_NAME else Path(named)


def _is_readable(part: Part, places: Mapping[str, str]) -> bool:
    """Conversions need the manifest of their sources, which may have moved away."""
    return part.flag != "converted" or (Path(places["data"]) / FILE_NAME).is_file()
