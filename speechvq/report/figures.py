"""The pictures of a page: drawn beside it, so that they can go elsewhere too."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from speechvq.alignment.directory import AlignmentDirectory
from speechvq.audio.waveform import read_waveform
from speechvq.data.manifest import Utterance
from speechvq.errors import UserError
from speechvq.evaluate.aligned_codes import AlignedCodes
from speechvq.plots.conversion import plot_conversion
from speechvq.plots.units import plot_units
from speechvq.report.audio_examples import AudioExample

MAX_CONVERSIONS = 2  # voices in the picture


def plot_example(path: Path, run: Path, example: AudioExample, alignments: AlignmentDirectory | None) -> None:
    """Draw a sentence, its phones where they are known, its codes if the run has a model, and conversions."""
    first = example.source
    source = read_waveform(first.path)
    again = {first.speaker: example.resynthesis} if example.resynthesis and not example.converted else {}
    voices = list({**example.converted, **again}.items())[:MAX_CONVERSIONS]
    options = {}
    codes = None
    if (run / "model").is_dir():
        from speechvq.speech.model import load_model  # a second to import

        model = load_model(run)
        codes = model.encode(source)
        options = {"frame_rate": model.config.frame_rate, "num_codes": model.config.quantizer.num_codes}
    known = alignments is not None and first.utt in alignments.places
    plot_conversion(
        path,
        source,
        codes,
        {voice: read_waveform(sound) for voice, sound in voices},
        title=f"{first.speaker}, sentence {first.utt}",
        phones=alignments.read(first.utt) if alignments is not None and known else (),
        **options,
    )


def plot_unit_figure(
    path: Path, corpus: AlignedCodes, examples: Sequence[AudioExample], manifest: Mapping[str, Utterance]
) -> None:
    """Draw phones by codes, and one utterance: one to listen to, if its phones are known, or the middle one.

    Raises:
        UserError: no code lies within a phone.
    """
    from speechvq.metrics.units.purity import score_purity

    rate = corpus.codes.frame_rate_hz
    score = score_purity(corpus.read(), corpus.codes.num_codes, rate, num_resamples=0)["all"]
    if not score.metrics["frames"]:
        raise UserError(
            f"{corpus.codes.path}: no code lies within a phone; does frame_rate_hz fit the alignments?"
        )
    heard = [each.source.utt for each in examples if each.source.utt in corpus.names]
    name = heard[0] if heard else corpus.names[len(corpus.names) // 2]
    wave = read_waveform(manifest[name].path) if name in manifest else None
    plot_units(path, score, corpus.labelled(name), wave, title=name, frame_rate=rate)
