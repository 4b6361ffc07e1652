"""The figures of a page, written beside it so that they can be used elsewhere."""

from collections.abc import Sequence
from pathlib import Path

from speechvq.alignment.directory import AlignmentDirectory
from speechvq.audio.waveform import read_waveform
from speechvq.data.manifest import utterance_names
from speechvq.evaluate.aligned_codes import AlignedCodes
from speechvq.plots.conversion import plot_conversion
from speechvq.plots.units import plot_units
from speechvq.report.audio_examples import AudioExample
from speechvq.runtime.engine import LocalEngine
from speechvq.runtime.logging import logger

MAX_CONVERSIONS = 2  # in the figure


def plot_example(path: Path, run: Path, example: AudioExample, alignments: AlignmentDirectory | None) -> None:
    """Plot a sentence and its conversions, with the phones and codes of the sentence.

    Args:
        path: of the PNG.
        run: run directory; codes are left out if it has no model.
        example: the sentence.
        alignments: phones; left out if there are none of the sentence.
    """
    first = example.source
    aligned = alignments.named_as(utterance_names([first])) if alignments else None
    source = read_waveform(first.path)
    resynthesis = (
        {first.speaker: example.resynthesis} if example.resynthesis and not example.converted else {}
    )
    shown = list({**example.converted, **resynthesis}.items())[:MAX_CONVERSIONS]
    codes, frame_rate, num_codes = None, 1.0, 1
    if (run / "model").is_dir():
        from speechvq.speech.model import load_model  # imported here because it takes a second

        model = load_model(run)
        codes = model.encode(source)
        frame_rate, num_codes = model.config.frame_rate, model.config.quantizer.num_codes
    plot_conversion(
        path,
        source,
        codes,
        {speaker: read_waveform(audio) for speaker, audio in shown},
        title=f"{first.speaker}, sentence {first.utt}",
        frame_rate=frame_rate,
        num_codes=num_codes,
        phones=aligned.read(first.utt) if aligned and aligned.places else (),
    )


def plot_unit_figure(path: Path, corpus: AlignedCodes, examples: Sequence[AudioExample]) -> None:
    """Plot the matrix of phones by codes, and one utterance.

    Args:
        path: of the PNG.
        corpus: codes and phones.
        examples: the utterance is one of these if it is in the corpus, otherwise the middle one by name.

    Raises:
        UserError: no code lies within a phone.
    """
    rate = corpus.codes.frame_rate_hz
    score = corpus.score(LocalEngine(1), num_resamples=0)["all"]
    corpus.check_scored(score)
    corpus.warn(score)
    if merged := corpus.alignments.describe_labels():
        logger.info("%s: %s", corpus.alignments.path, merged)
    sources = [each.source for each in examples]
    shared = [name for name in corpus.names if corpus.manifest.get(name) in sources]
    shared.sort(key=lambda name: sources.index(corpus.manifest[name]))
    name = shared[0] if shared else corpus.names[len(corpus.names) // 2]
    wave = read_waveform(corpus.manifest[name].path) if name in corpus.manifest else None
    plot_units(path, score, corpus.labeled(name), wave, title=name, frame_rate=rate)
