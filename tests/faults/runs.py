"""Tiny training runs of every kind, started in children, with a signal at a chosen moment."""

import contextlib
import dataclasses
import io
import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from faults.child import WALL, Child, Ending, check_done, check_quiet
from helpers import image_data, tiny_prior, video_data
from helpers.image_data import prepared
from helpers.tiny import WAVENET, make_corpus, run_config
from speechvq import config as configuration
from speechvq import train
from speechvq.config import EncoderConfig, QuantizerConfig, SourceFilterConfig, TrainConfig
from speechvq.config.pixelcnn import GridDataConfig, SecondStageConfig
from speechvq.config.runs import PixelCNNRun, SecondStageRun
from speechvq.images.model_directory import build, save_image_model
from speechvq.io.tensors import read_tensors
from speechvq.training import loop
from speechvq.training.checkpoint import TrainingState, list_checkpoints
from speechvq.training.tasks import speech
from speechvq.video.recording.recording import Recording, record

torch.set_num_threads(1)
torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])  # the first optimizer imports for seconds

KINDS = (
    "speech",
    "speech loss",
    "image vqvae",
    "image vae",
    "image vimco",
    "pixelcnn",
    "second stage",
    "prior",
    "video",
    "video motion",
)
STEPS = 12  # of the main stage
PRETRAINING_STEPS = 8
BRIEF: dict[str, Any] = {
    "steps": STEPS,
    "warmup": 4,
    "evaluate_every": 5,
    "num_eval_items": 3,
    "save_every": 6,
}
TRAIN_SECONDS = 60.0  # of processor, of a child that trains


class Stop(NamedTuple):
    """Where a run is stopped: after an update of a stage, or while it measures for the n-th time."""

    stage: int = -1
    step: int = -1
    evaluation: int = 0
    initialization: bool = False  # of the codebook

    def __str__(self) -> str:
        if self.initialization:
            return "while the codebook is initialized"
        if self.evaluation:
            return f"in evaluation {self.evaluation}"
        return f"stage {self.stage}, step {self.step}"


class Runs:
    """The inputs and configurations of runs of every kind, below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[str, Any] = {}

    def arguments(self, kind: str, name: str, *settings: str) -> list[str]:
        """The flags of `train` for a run NAME of a kind, with overrides A.B=C."""
        path = self.folder / f"{kind.replace(' ', '_')}.yaml"
        if not path.exists():
            configuration.save(path, self.config(kind))
        more = [word for setting in settings for word in ("--set", setting)]
        return ["--config", str(path), "--out", str(self.folder / name), "--device", "cpu", *more]

    def config(self, kind: str) -> Any:
        """The configuration of a run of a kind; its inputs are made on first use."""
        match kind:
            case "speech":  # three stages: codebook, source and filter, WaveNet
                model = {
                    "encoder": EncoderConfig((32,), 8, mel_bands=20),
                    "wavenet": dataclasses.replace(WAVENET, condition_on_f0=True, condition_on_phase=True),
                    "source_filter": SourceFilterConfig(
                        filter_order=4,
                        num_harmonics=3,
                        channels=8,
                        pretrain_steps=PRETRAINING_STEPS,
                        pretrain_batch=4,
                    ),
                    "jitter": 0.2,
                }
                run = run_config(self._input("corpus"), "ema", model, **BRIEF)
                return dataclasses.replace(run, data=dataclasses.replace(run.data, crop=1_600))
            case "speech loss":  # two stages: codebook, WaveNet; the last steps of an epoch fall inside
                run = run_config(self._input("corpus"), "loss", {"jitter": 0.12}, **BRIEF)
                return dataclasses.replace(run, data=dataclasses.replace(run.data, crop=4_800))
            case "image vqvae" | "image vae" | "image vimco":
                return image_data.run_of(kind.replace(" ", "_"), self._input("images"), **BRIEF)
            case "pixelcnn":
                data = GridDataConfig(model=str(self._input("image run")), batch=4)
                return PixelCNNRun(video_data.PIXELCNN, data, TrainConfig(**BRIEF))
            case "second stage":
                data = GridDataConfig(model=str(self._input("grid run")), batch=4)
                return SecondStageRun(SECOND_STAGE, data, TrainConfig(**BRIEF))
            case "prior":
                return tiny_prior.prior_run(self._input("codes"), **BRIEF)
            case "video" | "video motion":
                motion = dataclasses.replace(video_data.MOTION, steps=PRETRAINING_STEPS)
                changes = {"motion": motion} if kind == "video motion" else {}
                run = video_data.run_of(self._input("world"), **changes)
                return dataclasses.replace(run, train=TrainConfig(**BRIEF))
        raise ValueError(kind)

    def _input(self, name: str) -> Path:
        """A folder of training data, made once."""
        if name not in self._made:
            make: dict[str, Callable[[Path], Path]] = {
                "corpus": make_corpus,
                "images": prepared,
                "codes": tiny_prior.make_codes,
                "world": make_world,
                "image run": self._image_run,
                "grid run": grid_run,
            }
            place = self.folder / name
            place.mkdir(parents=True)
            with contextlib.redirect_stderr(io.StringIO()):
                self._made[name] = make[name](place)
        return self._made[name]

    def _image_run(self, place: Path) -> Path:
        ending = self.train("image vqvae", str(place.relative_to(self.folder) / "run"))
        check_done(ending)
        return place / "run"

    def train(
        self,
        kind: str,
        name: str,
        *settings: str,
        stop: Stop | None = None,
        processes: int = 1,
        rig: Callable[[], None] = lambda: None,
    ) -> Ending:
        """Train in one child or two; the ending of the first.

        Args:
            kind: one of KINDS.
            name: of the run directory.
            settings: overrides A.B=C.
            stop: where SIGTERM is raised, in the last process.
            processes: 1 or 2.
            rig: called in each child before the command.
        """
        arguments, port = self.arguments(kind, name, *settings), _free_port()

        def work(rank: int) -> int:
            torch.set_num_threads(1)
            rig()
            if stop is not None and rank == processes - 1:
                raise_at(stop)
            return train.main(arguments)

        children = []
        for rank in range(processes):
            names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "MASTER_PORT": port}
            environment = {key: str(value) for key, value in names.items()} | {"MASTER_ADDR": "127.0.0.1"}
            children.append(
                Child(
                    lambda rank=rank: work(rank),  # type: ignore[misc]
                    self.folder,
                    environment=environment if processes > 1 else {},
                    memory=0,
                )
            )
        endings = [child.wait(WALL * TRAIN_SECONDS) for child in children]
        for ending in endings:
            check_quiet(ending)
            assert ending.code == endings[0].code, f"exit codes {[each.code for each in endings]}"
        return endings[0]


SECOND_STAGE = SecondStageConfig(
    latents=2, channels=6, quantizer=QuantizerConfig(num_codes=6, dim=3), pixelcnn=video_data.PIXELCNN
)


def grid_run(place: Path) -> Path:
    """A run of an image model of 4 x 4 codes, which a second stage needs."""
    config = image_data.run_of("image_vqvae", image_data.prepared(place / "images", size=16), **BRIEF)
    sizes = dataclasses.replace(image_data.SIZES, size=16)
    model = dataclasses.replace(image_data.CONFIGS["image_vqvae"], autoencoder=sizes, codes_per_position=1)
    configuration.save(place / "run.yaml", dataclasses.replace(config, model=model))
    assert train.main(["--config", str(place / "run.yaml"), "--out", str(place / "run")]) == 0
    return place / "run"


def make_world(folder: Path) -> Path:
    """A recording in `maze` and an image model in `model`, as `video_data.make_world` without its priors."""
    record(folder / "maze", Recording("maze", 0, video_data.EPISODES, video_data.FRAMES), jobs=1)
    torch.manual_seed(0)
    sizes = dataclasses.replace(image_data.SIZES, size=84)
    config = dataclasses.replace(image_data.CONFIGS["image_vqvae"], autoencoder=sizes)
    model = build(dataclasses.replace(config, codes_per_position=1))
    model.train()(torch.randint(256, (2, 3, 84, 84), dtype=torch.uint8))
    save_image_model(folder / "model", model.eval())
    return folder


def raise_at(stop: Stop, signum: int = signal.SIGTERM) -> None:
    """Patch the training loop of this process so that it receives a signal at a moment."""
    plain_update, plain_evaluate, plain_init = loop.update, loop._evaluate, speech.init_codebook
    evaluations = 0

    def update(state: TrainingState, *rest: Any) -> Any:
        result = plain_update(state, *rest)
        if (state.stage, state.step) == (stop.stage, stop.step):
            signal.raise_signal(signum)
        return result

    def evaluate(*arguments: Any) -> None:
        nonlocal evaluations
        evaluations += 1
        if evaluations == stop.evaluation:
            signal.raise_signal(signum)
        plain_evaluate(*arguments)

    def init_codebook(*arguments: Any) -> None:
        if stop.initialization:
            signal.raise_signal(signum)
        plain_init(*arguments)

    loop.update, loop._evaluate, speech.init_codebook = update, evaluate, init_codebook  # type: ignore


def check_same_end(one: Path, other: Path) -> None:
    """Two finished runs are equal to the bit: newest checkpoint, exported model and metrics."""
    first, second = (list_checkpoints(run)[-1] for run in (one, other))
    assert first.name == second.name, f"ended at {second.name}, not at {first.name}"
    files = {path.name for path in first.glob("*.safetensors")}
    assert files == {path.name for path in second.glob("*.safetensors")}, "other files in the checkpoint"
    for name in sorted(files):
        before, after = read_tensors(first / name), read_tensors(second / name)
        assert before.keys() == after.keys(), f"{name}: other tensors"
        changed = [key for key in before if not _equal(before[key], after[key])]
        assert not changed, f"{name}: {len(changed)} tensors differ, {changed[0]}"
    for path in sorted((one / "model").rglob("*")):
        same = path.read_bytes() == (other / "model" / path.relative_to(one / "model")).read_bytes()
        assert same, f"model/{path.name} differs"
    assert metrics(one) == metrics(other), "the metrics logs differ"


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one, other)


def metrics(run: Path) -> list[dict[str, Any]]:
    """The metrics log without the speed of the machine."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "steps_per_second"} for line in lines]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
