"""The page of a report: one HTML file that needs nothing but itself, sounds and pictures included."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechvq.audio.atomic import write_bytes
from speechvq.audio.waveform import SAMPLE_RATE, read_waveform
from speechvq.errors import UserError
from speechvq.evaluate.tables import summary_cells
from speechvq.evaluation.summary import Figure


@dataclass(frozen=True)
class Example:
    """A sentence to listen to."""

    utterance: str
    speaker: str
    source: np.ndarray  # (T,), float, 16 kHz
    converted: Mapping[str, Path]  # sounds by the name of the voice


@dataclass(frozen=True)
class Generated:
    """Speech from nothing."""

    sounds: Mapping[str, Path]  # by name
    picture: Path | None  # PNG


@dataclass(frozen=True)
class Page:
    """What the page shows."""

    name: str  # of the run
    facts: Mapping[str, str]
    curve: Path  # PNG
    conversion: Path | None  # PNG
    examples: Sequence[Example]
    scores: Sequence[Figure]
    generated: Generated
    config: str  # YAML


def write_page(path: Path, page: Page) -> None:
    """Write the page; it is safe to show whatever stands in names and configuration.

    Raises:
        UserError: a sound cannot be read; the disk is full or not writable.
    """
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    voices = sorted({voice for example in page.examples for voice in example.converted})
    rows = [
        (example, _sound(example.source), [_voice(example, voice) for voice in voices])
        for example in page.examples
    ]
    text = environment.from_string(TEMPLATE).render(
        page=page,
        curve=_picture(page.curve),
        conversion=_picture(page.conversion) if page.conversion else "",
        voices=voices,
        rows=rows,
        generated={name: _sound(read_waveform(sound)) for name, sound in page.generated.sounds.items()},
        generation=_picture(page.generated.picture) if page.generated.picture else "",
        scores=[(figure.label, summary_cells(figure)) for figure in page.scores],
    )
    write_bytes(path, text.encode())


def _voice(example: Example, voice: str) -> str:
    """An example in one voice, or "" where it was not converted to that."""
    return _sound(read_waveform(example.converted[voice])) if voice in example.converted else ""


def _sound(wave: np.ndarray) -> str:
    """(T,) as a data URL of 16-bit WAV."""
    import soundfile

    encoded = io.BytesIO()
    soundfile.write(encoded, np.clip(wave, -1.0, 1.0), SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return "data:audio/wav;base64," + base64.b64encode(encoded.getvalue()).decode()


def _picture(path: Path) -> str:
    """A PNG as a data URL."""
    try:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; make the picture again") from None


# The policy in the head forbids the page to load anything from anywhere, also what a name might smuggle in.
TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
      content="default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{{ page.name }}: speechvq report</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #1b2733; max-width: 1100px;
  margin: 2rem auto; padding: 0 1rem }
h1 { margin-bottom: 0 } h2 { margin-top: 2.5rem; border-bottom: 1px solid #d8dee4 }
img { width: 100% } p { max-width: 46rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse }
th, td { padding: .35rem .8rem .35rem 0; text-align: left; vertical-align: middle }
th { font-weight: 600 } tbody tr { border-top: 1px solid #e6eaee }
.number { text-align: right; white-space: nowrap }
audio { width: 15rem; height: 2.4rem }
pre { background: #f5f7f9; padding: 1rem; overflow-x: auto }
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2.5rem; margin: 1rem 0 }
.facts dt { color: #66727f; font-size: .85rem }
.facts dd { margin: 0; font-size: 1.3rem }
</style>
</head>
<body>
<h1>{{ page.name }}</h1>
<p>Speech becomes a string of discrete codes; a decoder speaks the codes again, in any of its voices.</p>
<dl class="facts">
{% for label, value in page.facts.items() %}
<div><dt>{{ label }}</dt><dd>{{ value }}</dd></div>
{% endfor %}
</dl>
{% if conversion %}
<h2>A sentence, its codes, and other voices</h2>
<p>What is said stays where it is in time; the pitch (the bright line) moves to the new voice's.</p>
<img src="{{ conversion }}" alt="Spectrograms of a source and its conversions, with the codes between them">
{% endif %}
{% if rows %}
<h2>Listen</h2>
<div class="scroll"><table>
<thead><tr><th>source</th><th></th>{% for voice in voices %}<th>as {{ voice }}</th>{% endfor %}</tr></thead>
<tbody>
{% for example, source, sounds in rows %}
<tr><td>{{ example.speaker }}<br><small>{{ example.utterance }}</small></td>
<td><audio controls preload="metadata" src="{{ source }}"></audio></td>
{% for sound in sounds %}
<td>{% if sound %}<audio controls preload="metadata" src="{{ sound }}"></audio>{% endif %}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody></table></div>
{% endif %}
{% if generated %}
<h2>Speech from nothing</h2>
<p>A prior over the codes has drawn these; the decoder speaks them as it speaks the codes of a sentence.</p>
<div class="scroll"><table><tbody>
{% for name, sound in generated.items() %}
<tr><td>{{ name }}</td><td><audio controls preload="metadata" src="{{ sound }}"></audio></td></tr>
{% endfor %}
</tbody></table></div>
<img src="{{ generation }}" alt="Spectrograms of generated sounds, each above its codes">
{% endif %}
{% if scores %}
<h2>Measured</h2>
<div class="scroll"><table>
<thead><tr><th></th><th class="number">measured</th><th class="number">95 % interval</th>
<th class="number">n</th>
<th class="number">chance</th><th class="number">sources as they are</th>
<th class="number">targets' own</th></tr></thead>
<tbody>
{% for label, cells in scores %}
<tr><td>{{ label }}</td>{% for cell in cells %}<td class="number">{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
<p>Chance: voices or sentences drawn at random, and white noise for voicing and harmonics. Sources as they
are: the recordings, unconverted. Targets' own: other sentences by the targets, the most to be hoped for.</p>
{% endif %}
<h2>Training</h2>
<img src="{{ curve }}" alt="Loss, perplexity, and what wrong codes and wrong names cost, by step">
<h2>Configuration</h2>
<pre>{{ page.config }}</pre>
</body>
</html>
"""
