"""Train the models of this recipe for a fixed time each on one GPU, every step as one CUDA graph.

    python recipes/cifar10/timed.py --data data/cifar10 --out exp/cifar10 --seconds vqvae=200,prior=80,vae=90

`speechvq.train` counts steps and resumes; this script counts seconds and does not resume. A step of these
models is some hundred small kernels, and starting them one by one takes longer than running them. Here all
pictures are on the device and a step is one graph, which is why nothing in it may depend on a value. The
learning rate falls linearly to zero over the last 60 % of the time. Weights are rounded to float16 before
they are measured and written. OUT/NAME gets the files of a run directory, OUT/NAME.json the likelihood.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq import config as configuration
from speechvq.config import Run, read_run
from speechvq.evaluate.likelihood import likelihood_table, measure_likelihood
from speechvq.images.codes import fingerprint
from speechvq.images.dataset import ImageSet, read_images
from speechvq.images.model_directory import build, load_image_model, save_image_model
from speechvq.images.vimco import ImageVimco, log_mean_weight, vimco_weights
from speechvq.priors.grid.prior import GridPrior, load_grid_prior, save_grid_prior
from speechvq.quantizer import QuantizerOutput
from speechvq.results.likelihood import LikelihoodResult
from speechvq.training.metrics_log import MetricsLog
from speechvq.training.tasks.images import measure
from speechvq.training.tasks.pixelcnn import measure as measure_prior

LOG_EVERY, AVERAGE_EVERY, EVALUATIONS = 100, 8, 12
HELD_OUT = 1000  # test pictures of the curve; the result is over all
PRIOR_HELD_OUT = 2000  # training pictures on whose codes the prior is measured and chosen
WARMUP = 200  # steps
GRADIENT_SAMPLES = 4  # of VIMCO, that are decoded with a gradient: nearly all weight is on one or two
SIZES = {"vqvae": (128, 6e-4), "vae": (128, 6e-4), "vimco": (64, 6e-4), "prior": (256, 1e-3)}  # batch, rate

Losses = Callable[[Tensor], dict[str, Tensor]]
Evaluate = Callable[[nn.Module], dict[str, float]]


class StackedCodebooks(nn.Module):
    """The EMA codebooks of `Codebooks` in one tensor, without a loop or a branch on values."""

    codebook: Tensor
    size: Tensor
    sums: Tensor

    def __init__(self, config: Any, count: int) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("codebook", torch.randn(count, config.num_codes, config.dim))
        self.register_buffer("size", torch.ones(count, config.num_codes))
        self.register_buffer("sums", self.codebook.clone())
        self.register_buffer("offsets", torch.arange(count)[:, None] * config.num_codes)

    def forward(self, vectors: Tensor) -> QuantizerOutput:
        """Quantize (..., G, D); in training mode the codebooks are updated."""
        with torch.autocast(vectors.device.type, enabled=False):
            rows = vectors.float().flatten(0, -3).transpose(0, 1)  # (G, n, D)
            given = rows.detach()
            scores = torch.baddbmm(
                self.codebook.square().sum(-1).mul(-0.5)[:, None], given, self.codebook.transpose(1, 2)
            )
            codes = scores.argmax(-1)  # (G, n)
            entries = F.embedding(codes + self.offsets, self.codebook.flatten(0, 1))
            loss = self.config.commitment * F.mse_loss(rows, entries) * self.config.dim
            usage = torch.zeros(self.size.numel(), device=rows.device)
            index = (codes + self.offsets).flatten()
            usage.scatter_add_(0, index, torch.ones_like(index, dtype=usage.dtype))
            if self.training:
                self._update(given, index, usage)
            out = rows + (entries - given)
            shape = vectors.shape[:-2]
            return QuantizerOutput(
                out.transpose(0, 1).unflatten(0, shape), codes.t().unflatten(0, shape), loss, usage
            )

    def lookup(self, codes: Tensor) -> Tensor:
        """(..., G) to (..., G, D)."""
        return F.embedding(codes + self.offsets[:, 0], self.codebook.flatten(0, 1))

    @torch.no_grad()
    def _update(self, rows: Tensor, index: Tensor, usage: Tensor) -> None:
        config, shape = self.config, self.codebook.shape
        sums = torch.zeros(shape, device=rows.device).flatten(0, 1).index_add_(0, index, rows.flatten(0, 1))
        self.size.lerp_(usage.view(shape[:2]), 1 - config.ema_decay)
        self.sums.lerp_(sums.view(shape), 1 - config.ema_decay)
        self.codebook.copy_(self.sums / self.size.clamp_min(1e-5)[..., None])
        dead = (self.size < config.dead_code_threshold * self.size.mean(1, keepdim=True))[..., None]
        picks = torch.randint(rows.shape[1], shape[:2], device=rows.device)
        drawn = rows.gather(1, picks[..., None].expand(shape))
        level = rows.shape[1] / config.num_codes
        self.codebook.copy_(torch.where(dead, drawn, self.codebook))
        self.size.copy_(torch.where(dead[..., 0], level, self.size))
        self.sums.copy_(torch.where(dead, drawn * level, self.sums))

    @torch.no_grad()
    def draw(self, vectors: Tensor) -> None:
        """Take all entries from encoder outputs (..., G, D)."""
        rows = vectors.float().flatten(0, -3).transpose(0, 1)
        picks = torch.randint(rows.shape[1], self.size.shape, device=rows.device)
        self.codebook.copy_(rows.gather(1, picks[..., None].expand(self.codebook.shape)))
        self.size.fill_(rows.shape[1] / self.config.num_codes)
        self.sums.copy_(self.codebook * self.size[..., None])


class StaticVimco(ImageVimco):
    """VIMCO with tensors of constant sizes: samples of the largest weights are decoded with a gradient."""

    def losses(self, pixels: Tensor) -> dict[str, Tensor]:
        """As `ImageVimco.forward`."""
        log_posterior = self._log_posterior(pixels)
        codes, log_q = self._draw(log_posterior, self.config.samples)
        with torch.no_grad():
            reconstruction, latents = self._nll(pixels, codes), log_q + self._uniform_nll(codes)
            log_weights = -reconstruction - latents
            signal, weights = vimco_weights(log_weights)
            largest, sample = weights.topk(GRADIENT_SAMPLES, 1)
        image = torch.arange(len(pixels), device=pixels.device)[:, None].expand_as(sample).flatten()
        nll = self.decoder.nll_per_image(pixels[image], self.lookup(codes[image, sample.flatten()]))
        total = (largest.flatten() * nll).sum() - ((signal - weights) * log_q).sum()
        dimensions = pixels[0].numel()
        return {
            "total": total / pixels.numel(),
            "nats": -log_mean_weight(log_weights).mean() / dimensions,
            "reconstruction": reconstruction.mean() / dimensions,
            "latents": latents.mean() / dimensions,
        }

    def _draw(self, log_posterior: Tensor, samples: int) -> tuple[Tensor, Tensor]:
        rows = log_posterior.flatten(0, -2)
        cumulative = rows.detach().exp().cumsum(1)
        uniforms = torch.rand(len(rows), samples, device=rows.device) * cumulative[:, -1:]
        drawn = torch.searchsorted(cumulative, uniforms, right=True).clamp_max(rows.shape[1] - 1)
        log_q = rows.gather(1, drawn).view(len(log_posterior), -1, samples).sum(1)
        return drawn.view(*log_posterior.shape[:-1], samples).movedim(-1, 1).contiguous(), log_q


class Trainer:
    """The steps of one model, on data that is on the device."""

    def __init__(
        self, model: nn.Module, losses: Callable[[Tensor], dict[str, Tensor]], data: Tensor, name: str
    ):
        self.model, self.losses, self.data, self.name = model, losses, data, name
        self.batch, self.peak = SIZES[name]
        self.device = data.device
        self.index = torch.zeros(self.batch, dtype=torch.long, device=self.device)
        self.rate = torch.tensor(0.0, device=self.device)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        on_gpu = self.device.type == "cuda"
        self.optimizer = torch.optim.Adam(self.parameters, lr=self.rate, fused=True, capturable=on_gpu)
        self.live = {k: t for k, t in model.state_dict().items() if t.is_floating_point()}
        self.average = {k: t.clone() for k, t in self.live.items()}
        self.sums: dict[str, Tensor] = {}
        self.step, self.graph = 0, None

    def work(self) -> None:
        """One update, without a look at any value. NaN or Inf in a gradient skips it."""
        with torch.autocast(self.device.type, torch.bfloat16, cache_enabled=False):
            losses = self.losses(self.data[self.index])
        self.optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        norms = torch._foreach_norm([p.grad for p in self.parameters])
        norm = torch.stack(norms).norm()
        self.optimizer.grad_scale = norm.clamp_min(1.0)  # clips the norm to 1
        self.optimizer.found_inf = (~norm.isfinite()).float()
        self.optimizer.step()
        for key, value in (losses | {"gradient_norm": norm}).items():
            self.sums.setdefault(key, torch.zeros((), device=self.device)).add_(value.detach())

    def capture(self) -> None:
        """Make the step a CUDA graph; without a GPU, or where it fails, steps stay as they are."""
        if self.device.type != "cuda":
            return
        try:
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            self.optimizer.zero_grad(set_to_none=True)
            with torch.cuda.graph(graph):
                self.work()
            self.graph = graph
        except RuntimeError as error:
            print(f"{self.name}: no CUDA graph ({str(error)[:300]})", flush=True)
            torch.cuda.synchronize()

    def run(self, order: Iterator[Tensor], fraction: float) -> None:
        """One step at a fraction of the training."""
        self.index.copy_(next(order))
        self.rate.fill_(self.peak * min(1.0, (self.step + 1) / WARMUP, (1 - fraction) / 0.6))
        if self.graph is None:
            self.work()
        else:
            self.graph.replay()
        self.step += 1
        if self.step % AVERAGE_EVERY == 0:
            weight = 1 - min(0.999, (1 + self.step) / (10 + self.step)) ** AVERAGE_EVERY
            torch._foreach_lerp_(list(self.average.values()), list(self.live.values()), weight)

    def take_means(self) -> dict[str, float]:
        """Means since the last call."""
        means = {key: float(value) / LOG_EVERY for key, value in self.sums.items()}
        for value in self.sums.values():
            value.zero_()
        return means

    @torch.no_grad()
    def averaged(self, what: Callable[[nn.Module], Any]) -> Any:
        """A function of the model with averaged weights."""
        kept = {key: tensor.clone() for key, tensor in self.live.items()}
        for key, tensor in self.live.items():
            tensor.copy_(self.average[key])
        value = what(self.model.eval())
        for key, tensor in self.live.items():
            tensor.copy_(kept[key])
        self.model.train()
        return value


def orders(count: int, batch: int, device: torch.device) -> Iterator[Tensor]:
    """Indices of shuffled epochs, endless."""
    generator = torch.Generator().manual_seed(0)
    while True:
        order = torch.randperm(count, generator=generator).to(device)
        yield from order[: count // batch * batch].split(batch)


def train(
    trainer: Trainer, seconds: float, log: MetricsLog, evaluate: Callable[[nn.Module], dict[str, float]]
) -> None:
    """Train for so many seconds; the curve is written into the log."""
    order, seen = orders(len(trainer.data), trainer.batch, trainer.device), -1
    side = torch.cuda.Stream() if trainer.device.type == "cuda" else None
    if side is not None:
        side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(12):  # eager: kernels are chosen, and the optimizer's moments exist
            trainer.run(order, 0.0)
    trainer.capture()
    start, fraction, best, keep = time.monotonic(), 0.0, float("inf"), None
    while fraction < 1:
        trainer.run(order, fraction)
        if trainer.step % LOG_EVERY:
            continue
        log.write("main", trainer.step, trainer.take_means())
        fraction = min(1.0, (time.monotonic() - start) / seconds)
        if int(fraction * EVALUATIONS) > seen:
            seen = int(fraction * EVALUATIONS)
            values = trainer.averaged(evaluate)
            log.write("main", trainer.step, values | {"seconds": time.monotonic() - start})
            print(trainer.name, trainer.step, f"{time.monotonic() - start:.0f} s", values, flush=True)
            if trainer.name == "prior" and values["heldout_bits"] < best:
                best, keep = values["heldout_bits"], {k: t.clone() for k, t in trainer.average.items()}
    if keep is not None:
        trainer.average = keep
    print(f"{trainer.name}: {trainer.step} steps of {trainer.batch}", flush=True)


def rounded(name: str, tensor: Tensor) -> Tensor:
    """Weights as float16 numbers; codebooks, biases and statistics as they are."""
    if tensor.is_floating_point() and tensor.dim() >= 2 and "codebook" not in name:
        return tensor.half().float()
    return tensor


def train_images(
    name: str, run: Any, out: Path, images: dict[str, ImageSet], seconds: float, device: torch.device
) -> None:
    """Train and write the VAE, the VQ-VAE or VIMCO."""
    torch.manual_seed(run.train.seed)
    model: Any = (StaticVimco(run.model) if name == "vimco" else build(run.model)).to(device).train()
    data = torch.from_numpy(np.array(images["train"].pixels)).to(device)
    losses = model.losses if name == "vimco" else lambda pixels: means_of(model(pixels))
    if name == "vqvae":
        model.quantizer = StackedCodebooks(run.model.quantizer, run.model.codes_per_position).to(device)
        model.quantizer.draw(model.encoder(data[:256]))
    trainer = Trainer(model, losses, data, name)
    held_out = images["test"].batch(slice(HELD_OUT // 4 if name == "vimco" else HELD_OUT))
    train(trainer, seconds, MetricsLog(out, ["main"]), lambda model: measure(model, held_out))
    result = build(run.model)
    tensors = {key: rounded(key, trainer.average.get(key, t)).cpu() for key, t in model.state_dict().items()}
    if name == "vqvae":
        whole = {part: tensors.pop(f"quantizer.{part}") for part in ("codebook", "size", "sums", "offsets")}
        tensors = {k: t for k, t in result.state_dict().items() if k.startswith("quantizer.")} | tensors
        for g in range(run.model.codes_per_position):
            tensors[f"quantizer.quantizers.{g}.codebook"] = whole["codebook"][g]
            tensors[f"quantizer.quantizers.{g}.ema_cluster_size"] = whole["size"][g]
            tensors[f"quantizer.quantizers.{g}.ema_embed_sum"] = whole["sums"][g]
            tensors[f"quantizer.quantizers.{g}.initialized"] = torch.tensor(True)
    result.load_state_dict(tensors)
    save_image_model(out / "model", result)


def means_of(losses: Any) -> dict[str, Tensor]:
    """The losses of a model by name, without code counts."""
    return {key: value for key, value in losses._asdict().items() if key != "usage"}


def train_prior(
    run: Any, out: Path, images: dict[str, ImageSet], seconds: float, device: torch.device
) -> None:
    """Fit a PixelCNN to the codes of the VQ-VAE beside it, and of the mirrored pictures."""
    model = load_image_model(out.parent / "vqvae").to(device)
    train_set = images["train"]
    codes, mirrored = encode(model, train_set.pixels), encode(model, train_set.pixels[..., ::-1])
    held_out = torch.from_numpy(codes[-PRIOR_HELD_OUT:].astype(np.int64))
    fitted = np.concatenate([codes[:-PRIOR_HELD_OUT], mirrored[:-PRIOR_HELD_OUT]]).astype(np.int16)
    torch.manual_seed(run.train.seed)
    prior = GridPrior(run.model, model.grid, images["train"].classes, fingerprint(out.parent / "vqvae"))
    prior = prior.to(device, memory_format=torch.channels_last).train()

    def losses(batch: Tensor) -> dict[str, Tensor]:
        nats = prior.nll(batch.long()).mean() / batch[0].numel()
        return {"total": nats, "nats": nats}

    trainer = Trainer(prior, losses, torch.from_numpy(fitted).to(device), "prior")
    labels = torch.zeros(len(held_out), dtype=torch.long)
    train(trainer, seconds, MetricsLog(out, ["main"]), lambda prior: measure_prior(prior, held_out, labels))
    prior.load_state_dict({k: rounded(k, trainer.average.get(k, t)) for k, t in prior.state_dict().items()})
    save_grid_prior(out / "model", prior)


@torch.no_grad()
def encode(model: Any, pixels: np.ndarray, batch: int = 500) -> np.ndarray:
    """Codes (N, grid, grid, G) of pixels (N, 3, H, W)."""
    device = next(model.parameters()).device
    starts = range(0, len(pixels), batch)
    parts = [torch.from_numpy(np.array(pixels[at : at + batch])).to(device) for at in starts]
    return torch.cat([model.encode(part) for part in parts]).cpu().numpy()


def evaluate(name: str, out: Path, images: ImageSet, count: int, device: torch.device) -> None:
    """Bits per dimension of the test pictures, printed and written."""
    image_name = "vqvae" if name == "prior" else name
    model = load_image_model(out / image_name).to(device)
    prior = load_grid_prior(out / "prior").to(device) if name == "prior" else None
    under = measure_likelihood(model, images, count, prior)
    result = LikelihoodResult(
        run=str(out / image_name),
        prior=str(out / "prior") if prior else None,
        kind=model.config.kind,
        images=count,
        under=under,
        bits_per_dim=under.get("fitted", next(iter(under.values()))).bits_per_dim,
        samples=model.config.samples if model.config.kind == "image_vimco" else None,
        second_stage=None,
    )
    print(likelihood_table(result), flush=True)
    result.save(out / f"{image_name}.json")


def main() -> int:
    """Train the models of --seconds in the order given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="prepared folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", required=True, help="NAME=SECONDS,...; vqvae before prior")
    parser.add_argument("--images", type=int, default=None, help="test pictures to measure (default: all)")
    parser.add_argument("--set", action="append", default=[], help="settings of the image models")
    parser.add_argument("--prior-set", action="append", default=[], help="settings of the prior")
    parser.add_argument("--device", default="cuda")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32 = True, False
    images = {split: read_images(arguments.data, split) for split in ("train", "test")}
    for word in arguments.seconds.split(","):
        name, seconds = word.split("=")
        settings = [
            *(arguments.prior_set if name == "prior" else arguments.set),
            f"data.batch={SIZES[name][0]}",
        ]
        settings += (
            [f"data.root={arguments.data}"] if name != "prior" else [f"data.model={arguments.out / 'vqvae'}"]
        )
        if name == "vqvae":
            settings.append("model.quantizer.codebook=ema")
        run: Run = read_run(f"cifar10_{name}", settings)
        out = arguments.out / name
        out.mkdir(parents=True, exist_ok=True)
        configuration.save(out / "config.yaml", run)
        start = time.monotonic()
        if name == "prior":
            train_prior(run, out, images, float(seconds), device)
        else:
            train_images(name, run, out, images, float(seconds), device)
        count = arguments.images or len(images["test"].pixels)
        evaluate(name, arguments.out, images["test"], count, device)
        print(f"{name}: {time.monotonic() - start:.0f} s in all", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
