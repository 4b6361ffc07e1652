"""`python -m tests.faults.hostile`: commands on hostile models, voices, priors and checkpoints.

A case copies a valid subject, harms one of its files (see `hostile_files`) and runs the command that reads
it. It holds if the command succeeds with finite results, or refuses in one line that names the file, without
a warning of a library, within the limits of time and memory. The checkpoint before a harmed one has to be
used.

    python -m tests.faults.hostile [--seed 0] [--cases 1170] [--family voice]

prints "FAMILY: N of N" for each family, and a line for each case that fell. `run_family` does the same for
one family, and `run_case` repeats a case.
"""

import argparse
import contextlib
import dataclasses
import io
import json
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for tests/helpers

import numpy as np
import soundfile
import torch

from faults.hostile_files import harm, remove
from helpers import image_data, tiny, tiny_prior, video_data
from speechvq import convert, draw, encode, generate, imagine, train
from speechvq.audio.waveform import write_waveform
from speechvq.config.pixelcnn import SecondStageConfig
from speechvq.config.quantizer import QuantizerConfig
from speechvq.images.codes import fingerprint, require_codes
from speechvq.images.model_directory import load_image_model, save_image_model
from speechvq.images.second_stage import SecondStage, save_second_stage
from speechvq.priors.grid.prior import GridPrior, save_grid_prior
from speechvq.priors.sequence.code_spec import CodeSpec
from speechvq.priors.sequence.model_directory import save_prior
from speechvq.priors.sequence.prior import SequencePrior
from speechvq.speech.model import load_model
from speechvq.speech.speakers.voice_file import Voice, save_voice
from speechvq.training.checkpoint import list_checkpoints
from speechvq.video.model.model_directory import save_video_prior
from speechvq.video.model.prior import VideoPrior
from speechvq.video.recording.recording import Recording, record

SECONDS = 10.0  # of processor time for a case
WALL_SECONDS = 60  # after which a case that waits is stopped
MEGABYTES = 400  # more than before at the peak of a case
ADDRESS_SPACE = 4 << 30  # bytes that a case may reserve more than before
STEPS = 4  # of the run that is resumed


class Fell(Exception):
    """A case that ended in another way than by a result or one clear line."""


class Family(NamedTuple):
    """Subjects of one kind. Folders: `fixed` is shared by all cases, `subject` is copied and harmed."""

    build: Callable[[Path], None]  # writes FOLDER/fixed and FOLDER/subject
    run: Callable[[Path, Path, Path], int]  # runs the command on fixed, subject and an output folder
    files: tuple[str, ...]  # of the subject, that may be harmed


MODEL_FILES = ("model.safetensors", "config.yaml")


# -- subjects and commands


def _write_noise(path: Path) -> None:
    wave = 0.1 * np.random.default_rng(0).standard_normal(1600)
    write_waveform(path, wave.astype(np.float32))


def _build_speech(folder: Path) -> None:
    _write_noise(folder / "fixed/a.wav")
    tiny.f0_model().save_pretrained(folder / "subject")


def _convert(fixed: Path, subject: Path, out: Path) -> int:
    flags = ["--src", str(fixed / "a.wav"), "--target-speaker", "bob", "--out", str(out / "b.wav")]
    return _with_finite_sound(convert.main([*flags, "--model", str(subject)]), out)


def _build_encode(folder: Path) -> None:
    _write_noise(folder / "fixed/a.wav")
    tiny.speech_model(tiny.speech_config("ema")).save_pretrained(folder / "subject", half=True)


def _encode(fixed: Path, subject: Path, out: Path) -> int:
    code = encode.main(["--src", str(fixed / "a.wav"), "--out", str(out), "--model", str(subject)])
    if code == 0:
        meta, codes = json.loads((out / "meta.json").read_text()), np.load(out / "a.npy")
        if not 0 <= codes.min() <= codes.max() < meta["num_codes"]:
            raise Fell("codes outside the codebook")
    return code


def _build_voice(folder: Path) -> None:
    _write_noise(folder / "fixed/a.wav")
    tiny.f0_model().save_pretrained(folder / "fixed/model")
    save_voice(
        folder / "subject/me.safetensors", Voice(torch.ones(3), 120.0), load_model(folder / "fixed/model")
    )


def _convert_to_voice(fixed: Path, subject: Path, out: Path) -> int:
    flags = ["--src", str(fixed / "a.wav"), "--out", str(out / "b.wav"), "--model", str(fixed / "model")]
    return _with_finite_sound(
        convert.main([*flags, "--target-speaker", str(subject / "me.safetensors")]), out
    )


def _build_prior(folder: Path) -> None:
    model = tiny.speech_model()
    model.save_pretrained(folder / "fixed/model")
    spec = CodeSpec(model.config.quantizer.num_codes, model.config.frame_rate, model.fingerprint())
    config = tiny_prior.CONDITIONED
    save_prior(folder / "subject", SequencePrior(config, spec, tiny.SPEAKERS[:2]).eval())


def _generate(fixed: Path, subject: Path, out: Path) -> int:
    flags = ["--model", str(fixed / "model"), "--prior", str(subject), "--out", str(out)]
    return _with_finite_sound(generate.main([*flags, "--seconds", "0.02", "--count", "1"]), out)


def _build_image_model(folder: Path, kind: str = "image_vqvae", size: int = 16) -> None:
    image_data.prepared(folder / "fixed/images", train=2, test=2, size=size)
    sizes = dataclasses.replace(image_data.SIZES, size=size)
    config = dataclasses.replace(image_data.CONFIGS[kind], autoencoder=sizes)
    torch.manual_seed(0)
    model = image_data.build(config)
    model.train()(image_data.pixels_of(2, size))
    save_image_model(folder / "fixed/model", model.eval())


def _build_images(folder: Path) -> None:
    _build_image_model(folder, size=8)
    shutil.move(folder / "fixed/model", folder / "subject")


def _draw(fixed: Path, subject: Path, out: Path) -> int:
    return _draw_model(fixed, subject, out)


def _draw_model(fixed: Path, model: Path, out: Path, *more: str) -> int:
    flags = ["--run", str(model), "--data", str(fixed / "images"), "--count", "2", "--out", str(out)]
    return _with_files(draw.main([*flags, *more]), out, "reconstructions.png")


def _build_pixelcnn(folder: Path) -> None:
    _build_image_model(folder)
    model = require_codes(load_image_model(folder / "fixed/model"))
    config = dataclasses.replace(video_data.PIXELCNN, class_conditional=True)
    prior = GridPrior(config, model.grid, ["cat", "dog"], fingerprint(folder / "fixed/model"))
    save_grid_prior(folder / "subject", prior.eval())


def _draw_samples(fixed: Path, subject: Path, out: Path) -> int:
    return _with_files(_draw_model(fixed, fixed / "model", out, "--prior", str(subject)), out, "samples.png")


def _build_second_stage(folder: Path) -> None:
    _build_image_model(folder)
    model = require_codes(load_image_model(folder / "fixed/model"))
    config = SecondStageConfig(
        latents=2, channels=6, quantizer=QuantizerConfig(num_codes=4, dim=3), pixelcnn=video_data.PIXELCNN
    )
    torch.manual_seed(0)
    stage = SecondStage(config, model.grid, fingerprint(folder / "fixed/model"))
    stage.train()(torch.randint(model.grid.num_codes, (4, *model.grid.shape)))
    save_second_stage(folder / "subject", stage.eval())


def _draw_second_stage(fixed: Path, subject: Path, out: Path) -> int:
    return _draw_model(fixed, fixed / "model", out, "--second-stage", str(subject))


def _build_video(folder: Path) -> None:
    record(folder / "fixed/maze", Recording("maze", 0, 22, 8), jobs=1)
    sizes = dataclasses.replace(image_data.SIZES, size=84)
    config = dataclasses.replace(image_data.CONFIGS["image_vqvae"], autoencoder=sizes)
    torch.manual_seed(0)
    model = image_data.build(dataclasses.replace(config, codes_per_position=1))
    model.train()(torch.randint(256, (2, 3, 84, 84), dtype=torch.uint8))
    save_image_model(folder / "fixed/model", model.eval())
    image = load_image_model(folder / "fixed/model")
    config = dataclasses.replace(video_data.PRIOR, motion=video_data.MOTION)
    source = fingerprint(folder / "fixed/model")
    prior = VideoPrior(config, require_codes(image).grid, source, image)  # type: ignore[arg-type]
    save_video_prior(folder / "subject", prior.eval())


def _imagine(fixed: Path, subject: Path, out: Path) -> int:
    flags = ["--prior", str(subject), "--model", str(fixed / "model"), "--data", str(fixed / "maze")]
    code = imagine.main([*flags, "--frames", "1", "--out", str(out), "--device", "cpu"])
    return _with_files(code, out, "imagined.gif")


def _build_checkpoint(folder: Path) -> None:
    tiny.make_corpus(folder / "fixed/corpus")
    settings = {"save_every": 2, "evaluate_every": 100, "keep_checkpoints": 2}
    run = tiny.run_config(folder / "fixed/corpus", steps=STEPS, warmup=1, **settings)
    path = tiny.write_config(folder / "fixed", run)
    if train.main(["--config", str(path), "--out", str(folder / "subject"), "--device", "cpu"]):
        raise RuntimeError("the subject cannot be trained")


def _resume(fixed: Path, subject: Path, out: Path) -> int:
    model = subject / "model"
    remove(model)
    code = train.main(["--out", str(subject), "--set", f"train.steps={STEPS + 1}", "--device", "cpu"])
    if code == 0:
        newest = list_checkpoints(subject)[-1].name
        load_model(subject)
        if newest != f"stage_1_step_{STEPS + 1}":
            raise Fell(f"the newest checkpoint is {newest}")
    return code


NEWEST = f"checkpoints/stage_1_step_{STEPS}"  # stage 0 initializes the codebook
CHECKPOINT_FILES = ("model.safetensors", "optimizer.safetensors", "ema.safetensors", "state.json")
FAMILIES: dict[str, Family] = {
    "speech": Family(_build_speech, _convert, MODEL_FILES),
    "encode": Family(_build_encode, _encode, MODEL_FILES),
    "prior": Family(_build_prior, _generate, MODEL_FILES),
    "images": Family(_build_images, _draw, MODEL_FILES),
    "pixelcnn": Family(_build_pixelcnn, _draw_samples, MODEL_FILES),
    "second stage": Family(_build_second_stage, _draw_second_stage, MODEL_FILES),
    "video": Family(_build_video, _imagine, MODEL_FILES),
    "voice": Family(_build_voice, _convert_to_voice, ("me.safetensors",)),
    "checkpoint": Family(
        _build_checkpoint,
        _resume,
        (
            *(f"{NEWEST}/{name}" for name in CHECKPOINT_FILES * 3),
            f"{NEWEST}/COMPLETE",
            "metrics.jsonl",
            "config.yaml",
        ),
    ),
}
WEIGHTS = {"speech": 3, "prior": 2, "pixelcnn": 2, "video": 1}  # shares of the cases; 1 for the others


def _with_files(code: int, out: Path, name: str) -> int:
    if code == 0 and not (out / name).stat().st_size:
        raise Fell(f"{name} is empty")
    return code


def _with_finite_sound(code: int, out: Path) -> int:
    for path in out.glob("*.wav") if code == 0 else ():
        samples, _ = soundfile.read(path)
        if not len(samples) or not np.isfinite(samples).all():
            raise Fell("the sound is empty or not finite")
    return code


# -- cases


def _harm(name: str, subject: Path, rng: random.Random) -> str:
    """Harm a subject; returns what was done."""
    if name == "checkpoint" and rng.random() < 0.15:
        return _harm_names(subject, rng)
    file = rng.choice(FAMILIES[name].files)
    return f"{harm(subject / file, rng)} {file}"


def _harm_names(run: Path, rng: random.Random) -> str:
    """Add a folder to a run's checkpoints that is none, or is of another run."""
    names = ["stage_1_step_²", "stage_1_step_-5", "stage_1_step_inf", "stage_1_step_٣", "stage_9_step_1"]
    names += [f"stage_1_step_{'9' * 5000}"[:250], "stage_1_step_5", "stage_²_step_5", "step_²", "x\ny"]
    added = run / "checkpoints" / rng.choice(names)
    if rng.random() < 0.5:
        shutil.copytree(run / NEWEST, added)
    else:
        added.mkdir()
        (added / "COMPLETE").touch()
    return f"add {added.name!r:.40}"


def run_case(name: str, number: int, seed: int, built: Path, work: Path) -> str:
    """Run a case of a family.

    Args:
        name: of the family.
        number: of the case.
        seed: of the matrix.
        built: where the family's `build` wrote.
        work: an empty folder for this case.

    Returns:
        What was harmed, and whether the command succeeded or refused.

    Raises:
        Fell: it did neither.
    """
    family, rng = FAMILIES[name], random.Random(f"{seed} {name} {number}")
    subject, out = work / "subject", work / "out"
    shutil.copytree(built / "subject", subject)
    out.mkdir()
    done = _harm(name, subject, rng)
    try:
        code, stderr = _call(lambda: family.run(built / "fixed", subject, out))
    except Fell as error:
        raise Fell(f"{done}: {error}") from None
    except BaseException as error:
        raise Fell(f"{done}: {type(error).__name__}: {' '.join(str(error).split())[:300]}") from error
    if code not in (0, 2):
        raise Fell(f"{done}: exit code {code}")
    if code == 2:
        _check_refusal(done, name, stderr, subject)
    return f"{done}: {'done' if code == 0 else 'refused: ' + stderr.splitlines()[-1]}"


def _check_refusal(done: str, name: str, stderr: str, subject: Path) -> None:
    """Raises Fell unless the last line, and no other, is an error that names a file of the subject."""
    lines = stderr.splitlines()
    if not lines or ": error: " not in lines[-1] or sum(": error: " in line for line in lines) != 1:
        raise Fell(f"{done}: no line with one error: {lines[-3:]}")
    if str(subject) not in lines[-1] and "unknown speaker" not in lines[-1]:
        raise Fell(f"{done}: the file is not named: {lines[-1]}")
    if len(lines[-1]) > 1200 or not lines[-1].isprintable():
        raise Fell(f"{done}: a line of {len(lines[-1])} characters, or with control characters")
    if name == "checkpoint" and "checkpoints" in done + " " and "config.yaml" not in done:
        raise Fell(f"{done}: the checkpoint before was not used: {lines[-1]}")


def _call(work: Callable[[], int]) -> tuple[int, str]:
    """Exit code and stderr of a command, run in this process within the limits.

    Raises:
        Fell: a warning of a library, or too much time or memory.
    """
    stderr, before, started = io.StringIO(), _reset_peak_memory(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(stderr):
        with warnings.catch_warnings(record=True) as caught, _time_limit(), _memory_limit():
            warnings.simplefilter("always")
            code = work()
    seconds, megabytes = time.process_time() - started, _peak_memory() - before
    if caught:
        raise Fell(f"a warning: {' '.join(str(caught[0].message).split())[:200]}")
    if seconds > SECONDS:
        raise Fell(f"{seconds:.0f} s of processor time")
    if megabytes > MEGABYTES:
        raise Fell(f"{megabytes:.0f} MB of memory")
    return code, stderr.getvalue()


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    def stop(signum: int, frame: FrameType | None) -> None:
        raise Fell(f"not ended after {WALL_SECONDS} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(WALL_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


@contextlib.contextmanager
def _memory_limit() -> Iterator[None]:
    """Let memory beyond the limit raise MemoryError, before the system ends the process."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ADDRESS_SPACE, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _reset_peak_memory() -> float:
    """Let the peak begin anew; returns the memory in use, MB. 0 where the system has no such file."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return 0.0
    return _peak_memory()


def _peak_memory() -> float:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0.0
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


class Score(NamedTuple):
    """The cases of a family: how many held, how many there were, and a line for each that fell."""

    held: int
    tried: int
    fell: list[str]


def run_family(
    name: str, cases: int, seed: int = 0, *, on_case: Callable[[str], None] = lambda line: None
) -> Score:
    """Run the first cases of a family.

    Args:
        name: a key of FAMILIES.
        cases: how many.
        seed: of the matrix; the same seed gives the same cases.
        on_case: called with one line for each case.
    """
    held, fell = 0, list[str]()
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "built"
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            FAMILIES[name].build(built)
            _run_unharmed(name, built, Path(folder) / "unharmed")
        for number in range(cases):
            work = Path(folder) / "case"
            work.mkdir()
            try:
                line = run_case(name, number, seed, built, work)
                held += 1
            except Fell as error:
                line = f"FELL {error}"
                fell.append(f"{name} {number}: {error}")
            on_case(f"{name} {number}: {line}")
            remove(work)
    return Score(held, cases, fell)


def _run_unharmed(name: str, built: Path, work: Path) -> None:
    """The command on the valid subject, which also compiles its kernels."""
    shutil.copytree(built / "subject", work / "subject")
    (work / "out").mkdir()
    if FAMILIES[name].run(built / "fixed", work / "subject", work / "out"):
        raise RuntimeError(f"{name}: the unharmed subject is refused")


def share(name: str, cases: int) -> int:
    """Number of cases of a family out of those of the matrix."""
    weights = {family: WEIGHTS.get(family, 1) for family in FAMILIES}
    return max(cases * weights[name] // sum(weights.values()), 1)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 if all cases held, else 1."""
    parser = argparse.ArgumentParser(prog="tests.faults.hostile", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=1170, help="of all families (default: %(default)s)")
    parser.add_argument("--family", action="append", choices=FAMILIES, help="default: all")
    parser.add_argument("--verbose", action="store_true", help="print a line for each case")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    held = tried = 0
    for name in arguments.family or FAMILIES:
        started = time.monotonic()
        score = run_family(
            name,
            share(name, arguments.cases),
            arguments.seed,
            on_case=print if arguments.verbose else lambda line: None,
        )
        for line in score.fell:
            print(f"fell: {line}")
        print(
            f"hostile {name}: {score.held} of {score.tried} ({time.monotonic() - started:.0f} s)", flush=True
        )
        held, tried = held + score.held, tried + score.tried
    print(f"hostile files, seed {arguments.seed}: {held} of {tried}")
    return int(held != tried)


if __name__ == "__main__":
    raise SystemExit(main())
