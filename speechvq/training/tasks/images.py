"""How the image models are taught: prepared pictures, and their bound on some that are held out."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from speechvq.config import ImageRun
from speechvq.data.sampler import shuffled_batches
from speechvq.images.autoencoder import Encoder, compile_parts
from speechvq.images.dataset import check_size, read_images
from speechvq.images.elbo import bits_per_dim
from speechvq.images.model_directory import ImageModel, build, save_image_model
from speechvq.images.vimco import ImageVimco
from speechvq.images.vqvae import ImageVQ
from speechvq.runtime import distributed
from speechvq.training.task import TrainingTask

AT_ONCE = 32  # held-out pictures measured at once; bounds memory


def build_task(config: ImageRun, device: torch.device) -> TrainingTask:
    """The model on its device, its pictures and its measure.

    Raises:
        UserError: pictures that are missing, damaged or of another size than the model's.
    """
    training, heldout = read_images(config.data.root, "train"), read_images(config.data.root, "test")
    check_size(training, config.model.autoencoder.size, config.data.root)
    torch.manual_seed(config.train.seed)
    pictures = heldout.batch(slice(config.train.num_eval_items))

    def batches(step: int) -> Iterator[tuple[Tensor, ...]]:
        numbers = shuffled_batches(
            len(training.pixels),
            config.data.batch,
            config.train.seed,
            step=step,
            rank=distributed.rank(),
            world_size=distributed.world_size(),
        )
        return ((training.batch(which),) for which in numbers)

    model = build(config.model).to(device)
    return TrainingTask(
        model,
        batches,
        lambda taught: measure(taught, pictures),
        _export,
        compile=lambda: compile_parts(
            encoder_of(model), model.decoder, dynamic=isinstance(model, ImageVimco)
        ),
    )


def encoder_of(model: ImageModel) -> Encoder:
    """The convolutions; a VQ-VAE has batch renormalisation after them."""
    encoder = model.encoder[0] if isinstance(model, ImageVQ) else model.encoder
    assert isinstance(encoder, Encoder)
    return encoder


def measure(model: nn.Module, pictures: Tensor) -> dict[str, float]:
    """The bound on held-out pictures (B, 3, H, W) uint8 and its parts, bits a sub-pixel.

    What is drawn is drawn alike at every evaluation, and the training's own random numbers stay as they are.
    """
    device = next(model.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        parts = [model.elbo(some.to(device)) for some in pictures.split(AT_ONCE)]  # type: ignore[operator]
    names = ("heldout_bits", "heldout_reconstruction_bits", "heldout_latents_bits")
    means = (torch.cat(each).mean() for each in zip(*parts))
    return {name: float(bits_per_dim(mean, pictures[0].numel())) for name, mean in zip(names, means)}


def _export(folder: Path, model: nn.Module) -> None:
    assert isinstance(model, ImageModel)
    save_image_model(folder, model)
