"""Training task of the image models: prepared images, and the bound on held-out ones."""

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
from speechvq.training.stage import check_batch_splits, main_stage
from speechvq.training.task import TrainingTask

EVAL_BATCH = 32  # held-out images measured at once; bounds memory


def build_task(config: ImageRun, device: torch.device) -> TrainingTask:
    """The model on its device and the stage of its training.

    Raises:
        UserError: images that are missing, damaged or of another size than the model's.
    """
    check_batch_splits("data.batch", config.data.batch)
    training, heldout = read_images(config.data.root, "train"), read_images(config.data.root, "test")
    check_size(training, config.model.autoencoder.size, config.data.root)
    torch.manual_seed(config.train.seed)
    images = heldout.batch(slice(config.train.num_eval_items))

    def batches(step: int) -> Iterator[tuple[Tensor, ...]]:
        indices = shuffled_batches(
            len(training.pixels),
            config.data.batch,
            config.train.seed,
            step=step,
            rank=distributed.rank(),
            world_size=distributed.world_size(),
        )
        return ((training.batch(chosen),) for chosen in indices)

    model = build(config.model).to(device)
    return TrainingTask(
        model,
        (main_stage(model, batches, lambda model: measure(model, images), config.train),),
        _export,
        compile=lambda: compile_parts(
            encoder_of(model), model.decoder, dynamic=isinstance(model, ImageVimco)
        ),
    )


def encoder_of(model: ImageModel) -> Encoder:
    """The convolutions of an image model's encoder, without the batch renormalization of a VQ-VAE."""
    encoder = model.encoder[0] if isinstance(model, ImageVQ) else model.encoder
    assert isinstance(encoder, Encoder)
    return encoder


def measure(model: nn.Module, images: Tensor) -> dict[str, float]:
    """The bound on the negative log-likelihood of held-out images, and its parts, bits per dimension.

    Every evaluation uses the same random numbers. Those of the training are not changed.

    Args:
        model: an image model, in evaluation mode.
        images: (B, 3, H, W), uint8.
    """
    device = next(model.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        parts = [model.elbo(batch.to(device)) for batch in images.split(EVAL_BATCH)]  # type: ignore[operator]
    names = ("heldout_bits", "heldout_reconstruction_bits", "heldout_latents_bits")
    means = (torch.cat(each).mean() for each in zip(*parts))
    return {name: float(bits_per_dim(mean, images[0].numel())) for name, mean in zip(names, means)}


def _export(folder: Path, model: nn.Module) -> None:
    assert isinstance(model, ImageModel)
    save_image_model(folder, model)
