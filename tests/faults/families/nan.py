"""NaN and Inf in the loss, a gradient, the codebook, the weights and the sound while a model trains."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from faults.case import Case, Setting
from faults.child import check_done, check_refused
from faults.runs import KINDS, TRAIN_SECONDS, Runs
from speechvq.io.tensors import read_tensors
from speechvq.training import loop
from speechvq.training.checkpoint import TrainingState, list_checkpoints
from speechvq.training.stage import Stage

TRIED = (
    "NaN, Inf and -Inf in the loss, in one gradient, in one weight, in the codebook and in the batch, "
    "of every kind of model: in one update or two in a row, which are not applied while the run goes "
    "on; and in all updates from one on, which stop the run with one line. No checkpoint and no "
    "exported model holds a value that is not finite."
)
VALUES = {"NaN": math.nan, "Inf": math.inf, "-Inf": -math.inf}
PLACES = ("loss", "gradient", "weight", "codebook", "batch")
FIRST = 4  # the first spoiled step of the main stage


class Spoiled(NamedTuple):
    """What is spoiled, with which value, for how many updates."""

    place: str
    value: float
    updates: float


def cases(setting: Setting) -> Iterator[Case]:
    """Every place and value for every kind of model that has the place."""
    runs = Runs(setting.folder)
    kinds = ("speech", "speech loss", "image vqvae", "image vae", "pixelcnn", "prior", "video motion")
    assert set(kinds) <= set(KINDS)
    chosen = [
        (kind, name, place, updates)
        for kind in kinds
        for place in PLACES
        if has(kind, place)
        for name in (VALUES if kind.startswith("speech") else ("NaN",))
        for updates in ((1, 2, math.inf) if place in ("loss", "gradient", "batch") else (math.inf,))
    ]
    for number, (kind, name, place, updates) in enumerate(setting.some(chosen, 5)):
        spoiled = Spoiled(place, VALUES[name], updates)
        duration = "from then on" if updates == math.inf else f"in {updates} updates"
        yield Case(
            f"{kind}, {name} in the {place} {duration}",
            lambda kind=kind, spoiled=spoiled, number=number: check(runs, kind, f"run {number}", spoiled),  # type: ignore
        )


def has(kind: str, place: str) -> bool:
    """Whether a kind of model has a place: floats in its batches, a codebook."""
    if place == "batch":
        return kind.startswith("speech")
    return place != "codebook" or kind in ("speech", "speech loss", "image vqvae")


def check(runs: Runs, kind: str, name: str, spoiled: Spoiled) -> None:
    """A passing fault changes nothing but the updates that it hit; a lasting one stops the run."""
    settings = ["train.save_every=1", "train.keep_checkpoints=100", "train.evaluate_every=100"]
    ending = runs.train(kind, name, *settings, rig=lambda: spoil(spoiled))
    run = runs.folder / name
    if spoiled.updates == math.inf:
        check_refused(ending, seconds=TRAIN_SECONDS)
        assert "NaN" in ending.err, f"the message does not say why: {ending.err[-200:]}"
        assert not (run / "model").exists(), "a model was exported"
    else:
        check_done(ending, seconds=TRAIN_SECONDS)
        before, after = (weights(run, FIRST + shift) for shift in (0, int(spoiled.updates)))
        # Running means and an EMA codebook follow the forward pass, which comes before the loss is known.
        learned = {key.rpartition("/")[0] for key in weights(run, FIRST, "optimizer")}
        changed = [key for key in before if key in learned and not torch.equal(before[key], after[key])]
        assert learned & before.keys(), "no learned weights"
        assert not changed, f"the update was applied to {changed[0]}"
        later = weights(run, FIRST + int(spoiled.updates) + 1)
        assert any(not torch.equal(after[key], later[key]) for key in after), "the run no longer learns"
    for folder in list_checkpoints(run) if spoiled.place not in ("weight", "codebook") else []:
        for path in folder.glob("*.safetensors"):
            wrong = [key for key, tensor in read_tensors(path).items() if not finite(tensor)]
            assert not wrong, f"{folder.name}/{path.name}: {wrong[0]} is not finite"


def weights(run: Any, step: int, name: str = "model") -> dict[str, Tensor]:
    """The model, or the optimizer's moments, after a step of the main stage."""
    [folder] = [
        each for each in list_checkpoints(run) if is_main(each.name, run) and each.name.endswith(f"_{step}")
    ]
    return read_tensors(folder / f"{name}.safetensors")


def is_main(name: str, run: Any) -> bool:
    """Whether a checkpoint is of the last stage."""
    last = list_checkpoints(run)[-1].name.partition("_step_")[0]
    return name.partition("_step_")[0] == last


def finite(tensor: Tensor) -> bool:
    """Whether all values are finite."""
    return not tensor.is_floating_point() or bool(tensor.isfinite().all())


def spoil(spoiled: Spoiled) -> None:
    """Patch the training loop of this process."""
    plain = loop.update
    stages: list[int] = []

    def update(state: TrainingState, stage: Stage, batch: tuple[Tensor, ...], seed: int) -> Any:
        if stage.evaluate is None or not FIRST <= state.step < FIRST + spoiled.updates:
            return plain(state, stage, batch, seed)
        stages.append(state.stage)
        match spoiled.place:
            case "loss":
                stage = dataclasses.replace(stage, losses=with_loss(stage.losses, spoiled.value))
            case "batch":
                batch = (with_value(batch[0], spoiled.value), *batch[1:])
            case "gradient":
                handle = stage.parameters[-1].register_hook(lambda g: with_value(g, spoiled.value))
                try:
                    return plain(state, stage, batch, seed)
                finally:
                    handle.remove()
            case "weight":
                with torch.no_grad():
                    first_value(stage.parameters[0]).fill_(spoiled.value)
            case "codebook":
                with torch.no_grad():
                    first_value(codebook_of(state)).fill_(spoiled.value)
        return plain(state, stage, batch, seed)

    loop.update = update  # type: ignore[assignment]


def with_loss(losses: Callable[..., Any], value: float) -> Callable[..., Any]:
    """The same losses with a total that is not finite."""

    def spoiled(*batch: Tensor) -> Any:
        result = losses(*batch)
        return result._replace(total=result.total * value)

    return spoiled


def with_value(tensor: Tensor, value: float) -> Tensor:
    """The same tensor with one value replaced."""
    changed = tensor.clone()
    changed.view(-1)[changed.numel() // 2] = value
    return changed


def codebook_of(state: TrainingState) -> Tensor:
    """The codebook of a model that is trained."""
    return next(t for name, t in state.model.state_dict().items() if name.endswith(".codebook"))


def first_value(tensor: Tensor) -> Tensor:
    """The first element of a tensor of any memory layout, as a view."""
    return tensor[(0,) * tensor.dim()]
