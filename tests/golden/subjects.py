"""Computes all golden values with the current names of the package.

Only this file of the folder uses names of the package: imports, flags, configuration keys, attributes, names
of logged numbers. Edit it after a rename; the recorded numbers stay. Only flags.txt, config_keys.txt and
json_keys.txt contain names.
"""

import argparse
import contextlib
import dataclasses
import io
import json
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch

import speechvq
from helpers import image_data, synthetic_speech, tiny, tiny_prior, video_data
from speechvq import __main__ as commands
from speechvq import config as configuration
from speechvq import encode, evaluate, train
from speechvq.alignment.intervals import Interval, write_lab
from speechvq.audio.waveform import write_waveform
from speechvq.config import EncoderConfig, QuantizerConfig, SourceFilterConfig, SpeechRun, TrainConfig
from speechvq.config.pixelcnn import GridDataConfig, PixelCNNConfig, SecondStageConfig
from speechvq.config.runs import RUNS, PixelCNNRun, SecondStageRun
from speechvq.config.training import MAIN_STAGE
from speechvq.data.manifest import read_manifest
from speechvq.images.model_directory import build, save_image_model
from speechvq.speech.model import SpeechVQ
from speechvq.training import loop, metrics_log
from speechvq.training.tasks.enrollment import enroll
from speechvq.video.recording.recording import Recording, record

torch.set_num_threads(1)

RATE = 16_000  # Hz
STEPS = 20
Curves = dict[str, list[float]]

# -- the bundled model

SPEAKER, OTHER_SPEAKER, SEED = 0, 7, 1
SAMPLES = 400  # recorded of each conversion
BRIEF = 1_600  # samples that all engines convert; the torch engine would need a minute for the whole waveform
ENGINES: dict[str, dict[str, Any]] = {
    "torch": {"engine": "torch"},
    "numba fp32": {"engine": "numba"},
    "numba bf16": {"engine": "numba", "precision": "bf16"},
}
JOIN = 28_000  # a sample before the crossfade of the chunks


class Bundled(NamedTuple):
    """Codes and converted samples of the bundled model."""

    codes: dict[str, list[int]]
    samples: dict[str, np.ndarray]  # (SAMPLES,), float32


def synthetic_wave(seconds: float = 2.1, seed: int = 29) -> np.ndarray:
    """Eight harmonics of a varying F0 with a pause and noise, (T,), float32; long enough for two chunks."""
    rng, time = np.random.default_rng(seed), np.arange(round(seconds * RATE)) / RATE
    cycles = 2 * np.pi * np.cumsum(150 * 2 ** (0.4 * np.sin(2 * np.pi * 1.1 * time))) / RATE
    tilt = 0.7 + 0.5 * np.sin(2 * np.pi * 2.3 * time)
    wave = sum(np.sin(k * cycles) / k**tilt for k in range(1, 9)) * 0.05
    wave = wave * ((time % 0.7) < 0.6) + 0.005 * rng.standard_normal(len(time))
    return np.asarray(wave, np.float32)


def bundled() -> Bundled:
    """Encode and convert the synthetic waveform with all engines."""
    model, wave = speechvq.load("english29"), synthetic_wave()
    brief, speaker, other = (
        wave[4_000 : 4_000 + BRIEF],
        model.speakers[SPEAKER],
        model.speakers[OTHER_SPEAKER],
    )
    codes = {"whole": model.encode(wave).tolist(), "brief": model.encode(brief).tolist()}
    samples = {name: model.convert(brief, speaker, seed=SEED, **options) for name, options in ENGINES.items()}
    both = model.convert([brief, wave[:1_000]], [speaker, other], seed=SEED, engine="numba")
    samples |= {"first of a batch": both[0], "second of a batch": both[1]}
    both = model.convert([brief[:640], wave[:500]], [speaker, other], seed=SEED, engine="torch")
    samples |= {"first of a batch, torch": both[0], "second of a batch, torch": both[1]}
    chunked = model.convert(wave, speaker, seed=SEED, engine="numba", chunked=True)
    samples |= {"chunked": chunked, "chunked, at the join": chunked[JOIN:]}
    return Bundled(codes, {name: wave[:SAMPLES] for name, wave in samples.items()})


# -- loss curves

# Neutral ids of logged numbers, so that a rename changes no recorded line. None: not recorded.
NUMBERS: dict[str, str | None] = {
    "nats": "n1",
    "quantizer": "n2",
    "reconstruction": "n7",
    "latents": "n8",
    "gradient_norm": "n3",
    "learning_rate": "n4",
    "perplexity": "n5",
    "active_codes": "n6",
    "steps_per_second": None,
    "heldout_bits": "h1",
    "heldout_nats": "h2",
    "codes_gap_bits": "h3",
    "speaker_gap_bits": "h4",
    "heldout_perplexity": "h5",
    "heldout_active_codes": "h6",
    "heldout_reconstruction_bits": "h7",
    "heldout_latents_bits": "h8",
    "heldout_bits_per_second": "h9",
    "latents_gap_bits": "h10",
    "heldout_bound_bits": "h11",
}


@contextlib.contextmanager
def record_curves() -> Iterator[Curves]:
    """Record the loss of every backward pass in `minimised`, and the logged numbers of each step."""
    curves: Curves = {"minimised": []}
    backward, write = torch.Tensor.backward, metrics_log.MetricsLog.write

    def recorded_backward(self: torch.Tensor, *arguments: Any, **options: Any) -> None:
        curves["minimised"].append(float(self.detach()))
        backward(self, *arguments, **options)

    def recorded_write(
        self: metrics_log.MetricsLog, stage: str, step: int, values: Mapping[str, float]
    ) -> None:
        for name, value in values.items():
            if stage == MAIN_STAGE and (number := NUMBERS[name]) is not None:
                curves.setdefault(number, []).append(float(value))
        write(self, stage, step, values)

    with (
        mock.patch.object(torch.Tensor, "backward", recorded_backward),
        mock.patch.object(metrics_log.MetricsLog, "write", recorded_write),
        mock.patch.object(loop, "LOG_EVERY", 1),
    ):
        yield curves


def learn(folder: Path, run: Any, name: str = "run") -> Curves:
    """Run the `train` command into FOLDER/NAME and return its curves."""
    configuration.save(folder / f"{name}.yaml", run)
    arguments = ["--config", str(folder / f"{name}.yaml"), "--out", str(folder / name), "--device", "cpu"]
    with record_curves() as curves:
        assert train.main(arguments) == 0
    return curves


def _speech_run(
    folder: Path, codebook: str, model: dict[str, Any], train: dict[str, Any], crop: int
) -> SpeechRun:
    run = tiny.run_config(tiny.make_corpus(folder), codebook, model, steps=STEPS, **train)
    return dataclasses.replace(run, data=dataclasses.replace(run.data, crop=crop))


def _speech(
    codebook: str = "loss", *, train: dict[str, Any] | None = None, crop: int = 320, **model: Any
) -> Callable[[Path], Curves]:
    """Curves of a speech model with other settings."""
    return lambda folder: learn(folder, _speech_run(folder, codebook, model, train or {}, crop))


def _image(kind: str) -> Callable[[Path], Curves]:
    """Curves of an image model of a kind."""

    def curve(folder: Path) -> Curves:
        root = image_data.prepared(folder / "pictures")
        return learn(folder, image_data.run_of(kind, root, steps=STEPS, evaluate_every=10))

    return curve


PIXELCNN = PixelCNNConfig(layers=2, channels=6, kernel_radius=1, hidden_channels=8)
STAGE = SecondStageConfig(
    latents=2, channels=8, quantizer=QuantizerConfig(num_codes=4, dim=4, codebook="ema"), pixelcnn=PIXELCNN
)
GRID_TRAINING = TrainConfig(steps=STEPS, warmup=2, evaluate_every=10, num_eval_items=4, save_every=100)


def first_stage(folder: Path) -> GridDataConfig:
    """Train a VQ-VAE of 16 x 16 images for two steps; returns the data configuration of its codes."""
    config = image_data.run_of("image_vqvae", image_data.prepared(folder / "pictures", size=16), steps=2)
    sizes = dataclasses.replace(image_data.SIZES, size=16)
    model: Any = dataclasses.replace(
        image_data.CONFIGS["image_vqvae"], autoencoder=sizes, codes_per_position=1
    )
    learn(folder, dataclasses.replace(config, model=model), "first")
    return GridDataConfig(model=str(folder / "first"), batch=4)


def _pixelcnn(classes: bool) -> Callable[[Path], Curves]:
    model = dataclasses.replace(PIXELCNN, class_conditional=classes)
    return lambda folder: learn(folder, PixelCNNRun(model, first_stage(folder), GRID_TRAINING))


def _second_stage(folder: Path) -> Curves:
    return learn(folder, SecondStageRun(STAGE, first_stage(folder), GRID_TRAINING))


def _sequence(kind: str) -> Callable[[Path], Curves]:
    model = tiny_prior.CONFIGS[kind]
    return lambda folder: learn(
        folder, tiny_prior.prior_run(tiny_prior.make_codes(folder), model, steps=STEPS)
    )


def _video(**model: Any) -> Callable[[Path], Curves]:
    """Curves of a prior over frames; a motion model is pre-trained."""

    def curve(folder: Path) -> Curves:
        record(folder / "maze", Recording("maze", 0, video_data.EPISODES, video_data.FRAMES), jobs=1)
        torch.manual_seed(0)
        sizes = dataclasses.replace(image_data.SIZES, size=84)
        config = dataclasses.replace(
            image_data.CONFIGS["image_vqvae"], autoencoder=sizes, codes_per_position=1
        )
        image = build(config)
        image.train()(torch.randint(256, (2, 3, 84, 84), dtype=torch.uint8))
        save_image_model(folder / "model", image.eval())
        run = video_data.run_of(folder, **model)
        brief = dataclasses.replace(run.train, steps=STEPS, evaluate_every=10, save_every=100)
        return learn(folder, dataclasses.replace(run, train=brief))

    return curve


WITH_PHASE = dataclasses.replace(tiny.WAVENET, condition_on_f0=True, condition_on_phase=True)
SOURCE_FILTER = SourceFilterConfig(filter_order=4, num_harmonics=3, channels=8)


def _enrollment(source_filter: bool, tune: bool) -> Callable[[Path], Curves]:
    """Curves of the enrollment of a speaker, with a source-filter model or without."""

    def curve(folder: Path) -> Curves:
        torch.manual_seed(0)
        changes: dict[str, Any] = (
            {"wavenet": WITH_PHASE, "source_filter": SOURCE_FILTER} if source_filter else {}
        )
        model = SpeechVQ(tiny.speech_config(**changes), tiny.SPEAKERS).eval()
        with record_curves() as curves:
            found = enroll(model, [synthetic_speech.speech("ann", 5, seconds=4.0)], steps=STEPS, tune=tune)
        curves["e1"] = [
            found.before,
            found.after,
            float(model.speakers.index(found.nearest)),
            found.voice.f0,
        ]
        curves["e2"] = found.voice.embedding.tolist()
        return curves

    return curve


MEL = EncoderConfig((32,), 8, mel_bands=20)
CURVES: dict[str, Callable[[Path], Curves]] = {
    "speech, paper": _speech(),
    "speech, ema": _speech("ema"),
    "speech, jitter": _speech(jitter=0.5),
    "speech, noise and excerpt": _speech(input_noise=4.0, decoder_segment_length=160),
    "speech, encoder held": _speech(train={"encoder_lr_scale": 0.0}),
    "speech, bf16": _speech(train={"precision": "bf16"}),
    "speech, pitch": _speech(wavenet=dataclasses.replace(tiny.WAVENET, condition_on_f0=True), crop=1_600),
    "speech, phase": _speech(wavenet=WITH_PHASE, crop=1_600),
    "speech, mel": _speech("ema", encoder=MEL, crop=1_600),
    "speech, mel, blocks and voice change": _speech(
        "ema",
        encoder=dataclasses.replace(MEL, strides=(32, 2), residual_blocks=1, augment_strength=0.3),
        crop=1_600,
    ),
    "speech, source and filter": _speech(
        "ema",
        encoder=MEL,
        wavenet=WITH_PHASE,
        source_filter=dataclasses.replace(SOURCE_FILTER, pretrain_steps=STEPS, pretrain_batch=2),
        crop=1_600,
    ),
    "speech, filter alone, encoder not in its stage": _speech(
        "ema",
        encoder=MEL,
        wavenet=WITH_PHASE,
        source_filter=SourceFilterConfig(
            filter_order=4, channels=8, pretrain_steps=STEPS, pretrain_batch=2, pretrain_encoder=False
        ),
        crop=1_600,
    ),
    "image VAE": _image("image_vae"),
    "image VQ-VAE": _image("image_vqvae"),
    "image VIMCO": _image("image_vimco"),
    "second stage": _second_stage,
    "PixelCNN": _pixelcnn(False),
    "PixelCNN, class-conditional": _pixelcnn(True),
    "sequence prior, WaveNet": _sequence("wavenet"),
    "sequence prior, WaveNet, speaker-conditional": _sequence("wavenet conditioned"),
    "sequence prior, GRU, speaker-conditional": _sequence("gru conditioned"),
    "video prior": _video(),
    "video prior, motion": _video(motion=dataclasses.replace(video_data.MOTION, steps=STEPS)),
    "video prior, no past": _video(actions=False, context_frames=0),
    "enrolment": _enrollment(False, False),
    "enrolment, source and filter": _enrollment(True, False),
    "enrolment, tuned decoder": _enrollment(True, True),
}

# -- flags and keys


class _Parsed(BaseException):
    """Carries the parser of a command to the caller."""


def flags() -> list[str]:
    """One line per flag of each command, with its values and default."""

    def stop(self: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        raise _Parsed(self)

    names = [[name] for name in commands.COMMANDS if name != "evaluate"]
    lines = []
    for words in names + [["evaluate", subject] for subject in evaluate.SUBJECTS]:
        with mock.patch.object(argparse.ArgumentParser, "parse_args", stop):
            try:
                commands.main(words)
            except _Parsed as parsed:
                lines += [f"{' '.join(words)} {flag}" for flag in _flags_of(parsed.args[0])]
    return sorted(lines)


def _flags_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, (argparse._HelpAction, argparse._VersionAction)):
            continue
        facts = ["required"] if action.required else [f"default {_plain(action.default)}"]
        facts += [f"one of {', '.join(map(str, action.choices))}"] if action.choices else []
        facts += (
            ["a switch" if action.nargs == 0 else f"values {action.nargs}"]
            if action.nargs is not None
            else []
        )
        facts += ["repeatable"] if isinstance(action, argparse._AppendAction) else []
        yield f"{', '.join(action.option_strings) or action.dest}: {'; '.join(facts)}"
    for group in parser._mutually_exclusive_groups:
        options = [option for action in group._group_actions for option in action.option_strings]
        yield f"{'exactly' if group.required else 'at most'} one of {', '.join(options)}"


def _plain(value: object) -> str:
    return str(value) if isinstance(value, Path) else repr(value)


def config_keys() -> list[str]:
    """One line per key of each kind of run, with its default and bounds."""
    return [f"{kind} {line}" for kind, cls in RUNS.items() for line in _keys_of(cls, cls(), "")]


def _keys_of(cls: type, defaults: Any, where: str) -> Iterator[str]:
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        value, key = getattr(defaults, field.name), f"{where}{field.name}"
        if dataclasses.is_dataclass(value):
            yield from _keys_of(type(value), value, f"{key}.")
            continue
        choices, bounds = typing.get_args(hints[field.name]), field.metadata.get("bounds")
        facts = [f"one of {', '.join(map(str, choices))}"] if isinstance(value, str) and choices else []
        facts += [f"{bounds[0]} to {bounds[1]}"] if bounds else []
        yield "; ".join([f"{key} = {value!r}", *facts])
    for name, size in getattr(cls, "SIZES", {}).items():
        yield f"{where[:-1]} = {name}: {configuration.to_mapping(size)}"


def json_keys(folder: Path) -> list[str]:
    """One line per key of each JSON file that commands write."""
    lines = []
    for subject, path in _written(folder):
        texts = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
        keys = {key for text in texts for key in _paths(json.loads(text))}
        lines += [f"{subject}: {key}" for key in sorted(key.replace(str(folder), "FOLDER") for key in keys)]
    return lines


def _paths(value: Any, where: str = "") -> Iterator[str]:
    """Paths of all keys; items of a list are below []."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{where}{key}"
            yield from _paths(inner, f"{where}{key}.")
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner, f"{where}[].")


TRAINED = {  # runs whose metrics.jsonl is recorded and whose models `evaluate` uses
    "speech": "speech, source and filter",
    "sequence": "sequence prior, WaveNet, speaker-conditional",
    "image_vae": "image VAE",
    "image_vimco": "image VIMCO",
    "pixelcnn": "PixelCNN",
    "second_stage": "second stage",
    "video_prior": "video prior, motion",
}


def _written(folder: Path) -> Iterator[tuple[str, Path]]:
    """All kinds of JSON files below a folder, each with the command that writes it."""
    for kind, name in TRAINED.items():
        (folder / kind).mkdir()
        CURVES[name](folder / kind)
        yield f"train {kind}, metrics.jsonl", folder / kind / "run/metrics.jsonl"
    yield "train image_vqvae, metrics.jsonl", folder / "second_stage/first/metrics.jsonl"
    yield "prepare images, meta.json", folder / "second_stage/pictures/meta.json"
    yield "prepare maze, meta.json", folder / "video_prior/maze/meta.json"
    flags = ["--model", str(folder / "speech/run"), "--src", str(folder / "speech/audio")]
    assert encode.main([*flags, "--out", str(folder / "encoded")]) == 0
    yield "encode, meta.json", folder / "encoded/meta.json"
    for name, (subject, arguments) in _measurements(folder).items():
        out = folder / f"{name}.json"
        with _without_extras(), contextlib.redirect_stdout(io.StringIO()):
            assert evaluate.main([subject, *map(str, arguments), "--json", str(out)]) == 0, name
        yield f"evaluate {name}", out


@contextlib.contextmanager
def _without_extras() -> Iterator[None]:
    """Hide the optional judges, because each would add keys."""
    extras = ("hama", "resemblyzer", "speechmos", "distillmos")
    before = {name: sys.modules[name] for name in extras if name in sys.modules}
    sys.modules.update(dict.fromkeys(extras))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in extras:
            del sys.modules[name]
        sys.modules.update(before)


def _measurements(folder: Path) -> dict[str, tuple[str, list[str | Path]]]:
    """Named calls of `evaluate`: the subject and its flags."""
    corpus = _aligned_corpus(folder / "corpus")
    codes, lab = corpus / "codes", corpus / "lab"
    for speaker, seed in (("ann", 5), ("ben", 105)):
        write_waveform(folder / "converted/cay" / f"{speaker}_5.wav", synthetic_speech.speech("cay", seed))
        for part, who, number in (
            ("source", "ann", seed),
            ("made", "ben", seed),
            ("target", "ben", seed + 1),
        ):
            write_waveform(folder / part / f"s{number}.wav", synthetic_speech.speech(who, number))
    encoder = EncoderConfig(strides=(2, 2, 2, 2, 2, 5), channels=4)
    config = tiny.write_config(folder, tiny.run_config(corpus, model={"encoder": encoder}))
    audio: list[str | Path] = ["--source", folder / "source", "--target", folder / "target"]
    real: list[str | Path] = ["--reference", codes, "--manifest", corpus]
    second_stage: list[str | Path] = ["--second-stage", folder / "second_stage/run"]
    settings: list[str | Path] = [
        "--num-codes",
        "8",
        "--frame-rate",
        "100",
        "--seeds",
        "1",
        "--config",
        config,
    ]
    brief: list[str | Path] = ["--frames", "4", "--rollouts", "3", "--windows", "5", "--probe-steps", "2"]
    aligned: list[str | Path] = ["--alignments", lab, "--manifest", corpus]
    return {
        "purity": ("purity", ["--codes", codes, *aligned]),
        "codebook": ("codebook", ["--codes", codes]),
        "speakers": ("speakers", ["--codes", codes, "--manifest", corpus]),
        "abx": ("abx", ["--codes", codes, *aligned, "--items", "phoneme", "--context", "any", "--baselines"]),
        "alignments": ("alignments", ["--alignments", lab, "--reference", lab]),
        "baselines": ("baselines", ["--corpus", corpus, "--alignments", lab, *settings]),
        "generation": ("generation", ["--codes", codes, *real, "--alignments", lab]),
        "conversion": ("conversion", ["--converted", folder / "converted", "--manifest", corpus]),
        "conversion, folders": ("conversion", ["--converted", folder / "made", *audio]),
        "prior": ("prior", ["--prior", folder / "sequence/run"]),
        "likelihood": ("likelihood", ["--run", folder / "second_stage/first", *second_stage]),
        "likelihood, fitted": (
            "likelihood",
            ["--run", folder / "pixelcnn/first", "--prior", folder / "pixelcnn/run"],
        ),
        "compression": (
            "compression",
            ["--run", folder / "pixelcnn/first", "--prior", folder / "pixelcnn/run"],
        ),
        "likelihood, vimco": ("likelihood", ["--run", folder / "image_vimco/run"]),
        "rollout": ("rollout", ["--prior", folder / "video_prior/run", *brief]),
    }


def _aligned_corpus(folder: Path) -> Path:
    """A corpus of three speakers with random phones of 150 ms, and codes at 50 Hz equal to the phones."""
    synthetic_speech.make_speech_corpus(folder)
    (folder / "codes").mkdir()
    for number, utterance in enumerate(read_manifest(folder)):
        labels = np.cumsum(np.random.default_rng(number).integers(1, 4, size=10)) % 4
        phones = [Interval(0.15 * n, 0.15 * (n + 1), "ABCD"[phone]) for n, phone in enumerate(labels)]
        write_lab(folder / "lab" / f"{utterance.utt}.lab", phones)
        codes = labels[np.minimum((np.arange(75) + 0.5) / 7.5, 9).astype(int)]
        np.save(folder / "codes" / f"{utterance.utt}.npy", codes)
    meta = {"frame_rate_hz": 50, "num_codes": 8, "codebook": "0123456789abcdef"}
    (folder / "codes/meta.json").write_text(json.dumps(meta))
    return folder
