"""Vector quantization with a straight-through gradient (van den Oord et al. 2017, section 3)."""

from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.config import QuantizerConfig
from speechvq.runtime import distributed

ARGMAX_BLOCK = 64  # scores per block in `_blocked_argmax`
MIN_CLUSTER_SIZE = 1e-5  # lower bound of the divisor in the EMA update


class QuantizerOutput(NamedTuple):
    """Output of a vector quantizer for one batch."""

    vectors: Tensor  # (..., D), float32, codebook entries; the gradient passes straight through to the input
    codes: Tensor  # (...), int64 in [0, K)
    loss: Tensor  # (), second and third term of eq. 3
    usage: Tensor  # (K,), float32, how often each code was chosen; in training summed over all processes


def nearest_code(vectors: Tensor, codebook: Tensor, *, chunk: int = 512) -> Tensor:
    """Index of the nearest codebook entry in squared L2 distance (van den Oord et al. 2017, eq. 1).

    Args:
        vectors: (..., D), float32.
        codebook: (K, D), float32.
        chunk: rows searched at once; bounds memory at chunk x K floats.

    Returns:
        (...), int64 in [0, K); ties go to the lower index.

    Raises:
        ValueError: the last axes differ, or either is not float32 (half precision flips 1 to 3 % of the
            codes).
    """
    if vectors.shape[-1] != codebook.shape[-1]:
        raise ValueError(f"vectors have width {vectors.shape[-1]}, the codebook {codebook.shape[-1]}")
    if vectors.dtype != torch.float32 or codebook.dtype != torch.float32:
        raise ValueError(f"float32 is needed, got {vectors.dtype} and {codebook.dtype}")
    # argmin |x - e|^2 = argmax (x.e - |e|^2 / 2): one matrix product, without |x|^2.
    offset, transposed = codebook.square().sum(-1).mul(-0.5), codebook.t()
    rows = vectors.reshape(-1, vectors.shape[-1]).split(chunk)
    best = [_blocked_argmax(torch.addmm(offset, part, transposed)) for part in rows]
    return torch.cat(best).view(vectors.shape[:-1])


def _blocked_argmax(scores: Tensor) -> Tensor:
    """Index of the highest score in each row; ties go to the lower index: (n, K) to (n,), int64.

    On a CPU, torch vectorizes `amax` but not `argmax`. Finding the best block first, then the best score in
    it, halves the time for K >= 512.
    """
    rows, width = scores.shape
    if width % ARGMAX_BLOCK or scores.device.type != "cpu":
        return scores.argmax(-1)
    blocks = scores.reshape(rows * (width // ARGMAX_BLOCK), ARGMAX_BLOCK)
    best = blocks.amax(-1).view(rows, -1).argmax(-1)
    chosen = blocks.index_select(0, best + torch.arange(0, len(blocks), width // ARGMAX_BLOCK))
    return chosen.argmax(-1).add_(best, alpha=ARGMAX_BLOCK)


class VectorQuantizer(nn.Module):
    """Replaces each vector by its nearest entry of a learned codebook.

    The last axis is quantized and all others are free, so one module serves speech, images and video. The
    computation is in float32, also under autocast. With several processes, usage and moving averages are
    those of the combined batch.

        quantizer = VectorQuantizer(num_codes=512, dim=64)
        output = quantizer(encoder(x))  # (..., 64)
        loss = F.mse_loss(decoder(output.vectors), x) + output.loss

    Buffers:
        initialized: (), bool; False until the codebook is initialized. The first training batch initializes
            it with vectors of that batch (our choice).
        ema_cluster_size: (K,), moving average of the usage; N_i of appendix A.1.
        ema_embed_sum: (K, D), moving average of the sums of the assigned vectors; m_i of appendix A.1.
        num_updates: (), int64, training batches so far; seeds the reinitialization of dead codes.
    """

    codebook: Tensor
    initialized: Tensor
    ema_cluster_size: Tensor
    ema_embed_sum: Tensor
    num_updates: Tensor

    def __init__(
        self,
        num_codes: int = 512,
        dim: int = 64,
        *,
        codebook: Literal["loss", "ema"] = "loss",
        commitment: float = 0.25,
        ema_decay: float = 0.99,
        dead_code_threshold: float = 0.1,
    ) -> None:
        """
        Args:
            num_codes: K, number of codebook entries.
            dim: D, width of a vector.
            codebook: how the codebook learns: "loss" by the second term of eq. 3, "ema" by exponential moving
                averages (appendix A.1).
            commitment: beta of eq. 3, weight of the commitment loss.
            ema_decay: gamma of appendix A.1; also the decay of the usage that detects dead codes.
            dead_code_threshold: codes used less than this fraction of the mean usage are reinitialized with
                vectors of the batch (our choice); 0 turns this off.

        Raises:
            ValueError: a size below 1, or an unknown way of learning the codebook.
        """
        super().__init__()
        if num_codes < 1 or dim < 1:
            raise ValueError(f"expected num_codes and dim of at least 1, got {num_codes} and {dim}")
        if codebook not in ("loss", "ema"):
            raise ValueError(f"expected codebook 'loss' or 'ema', got {codebook!r}")
        self.num_codes, self.dim, self.uses_ema = num_codes, dim, codebook == "ema"
        self.commitment, self.ema_decay, self.dead_code_threshold = commitment, ema_decay, dead_code_threshold
        entries = torch.randn(num_codes, dim)
        if self.uses_ema:
            self.register_buffer("codebook", entries)
        else:
            self.codebook = nn.Parameter(entries)
        self.register_buffer("initialized", torch.tensor(False))
        self.register_buffer("ema_cluster_size", torch.ones(num_codes))
        self.register_buffer("ema_embed_sum", entries.clone())
        self.register_buffer("num_updates", torch.tensor(0))

    @classmethod
    def from_config(cls, config: QuantizerConfig) -> "VectorQuantizer":
        """A quantizer with the settings of a configuration file."""
        return cls(
            config.num_codes,
            config.dim,
            codebook=config.codebook,
            commitment=config.commitment,
            ema_decay=config.ema_decay,
            dead_code_threshold=config.dead_code_threshold,
        )

    def extra_repr(self) -> str:
        """Sizes, as `print(module)` shows them."""
        return f"num_codes={self.num_codes}, dim={self.dim}, codebook={'ema' if self.uses_ema else 'loss'!r}"

    def forward(self, vectors: Tensor) -> QuantizerOutput:
        """Quantize vectors; in training mode also update the codebook statistics.

        Args:
            vectors: (..., D), any floating-point type.

        Raises:
            ValueError: the last axis is not D.
        """
        with torch.autocast(vectors.device.type, enabled=False):
            vectors = vectors.float()
            if self.training and not self.initialized:
                self._init_codebook_from_batch(vectors)
            codes = nearest_code(vectors.detach(), self.codebook.detach())
            entries = F.embedding(codes, self.codebook)
            loss = self._loss(vectors, entries)
            usage = torch.bincount(codes.flatten(), minlength=self.num_codes).float()
            if self.training:
                usage = distributed.all_reduce_sum(usage)
                self._ema_update(vectors.detach(), codes, usage)
            return QuantizerOutput(_StraightThrough.apply(entries.detach(), vectors), codes, loss, usage)

    def lookup(self, codes: Tensor) -> Tensor:
        """Codebook entries of codes: (...) int64 to (..., D), float32."""
        return F.embedding(codes, self.codebook)

    def _loss(self, vectors: Tensor, entries: Tensor) -> Tensor:
        """Second and third term of eq. 3: squared L2 norms, averaged over the vectors."""
        commitment = self.commitment * _squared_distance(vectors, entries.detach())
        return commitment if self.uses_ema else _squared_distance(entries, vectors.detach()) + commitment

    @torch.no_grad()
    def init_codebook_kmeans(self, vectors: Tensor) -> None:
        """Initialize the codebook by k-means on vectors (..., D), before training (Lancucki et al. 2020).

        A single training batch holds few vectors for a large codebook, and they are much alike. Nothing
        changes if the codebook is initialized already, if there are fewer vectors than entries, or if a
        vector is NaN or infinite. Every process must pass the same vectors.
        """
        rows = vectors.reshape(-1, vectors.shape[-1]).float()
        if self.initialized or _has_nonfinite(rows) or len(rows) < self.num_codes:
            return
        from sklearn.cluster import KMeans

        found = KMeans(self.num_codes, n_init=1, max_iter=30, random_state=0).fit(rows.cpu().numpy())
        self.codebook.copy_(torch.from_numpy(found.cluster_centers_))
        usage = torch.from_numpy(found.labels_).bincount(minlength=self.num_codes).float()
        self.ema_cluster_size.copy_(usage / usage.mean())
        self.ema_embed_sum.copy_(self.codebook * self.ema_cluster_size[:, None])
        self.initialized.fill_(True)

    @torch.no_grad()
    def _init_codebook_from_batch(self, vectors: Tensor) -> None:
        """Draw all entries from the batch, unless it holds NaN or Inf."""
        if _has_nonfinite(vectors):
            return
        self._reinit_codes(torch.ones(self.num_codes, dtype=torch.bool, device=vectors.device), vectors)
        self.initialized.fill_(True)

    @torch.no_grad()
    def _ema_update(self, vectors: Tensor, codes: Tensor, usage: Tensor) -> None:
        """Update the moving averages and an EMA codebook, then reinitialize dead codes.

        Reinitialization comes last, so that the averages do not overwrite a new entry.
        """
        if _has_nonfinite(vectors):
            return
        flat = vectors.reshape(-1, vectors.shape[-1])
        self.num_updates += 1
        self.ema_cluster_size.lerp_(usage, 1 - self.ema_decay)
        if self.uses_ema:
            sums = torch.zeros_like(self.ema_embed_sum).index_add_(0, codes.flatten(), flat)
            self.ema_embed_sum.lerp_(distributed.all_reduce_sum(sums), 1 - self.ema_decay)
            cluster_size = self.ema_cluster_size.clamp_min(MIN_CLUSTER_SIZE)
            self.codebook.copy_(self.ema_embed_sum / cluster_size[:, None])
        if self.dead_code_threshold > 0:
            dead = self.ema_cluster_size < self.dead_code_threshold * self.ema_cluster_size.mean()
            if dead.any():
                self._reinit_codes(dead, flat)

    def _reinit_codes(self, which: Tensor, vectors: Tensor) -> None:
        """Replace the entries `which`, (K,) bool, by random vectors of all processes, with mean usage.

        The moving averages are reset too: otherwise the next update would restore the old entry.
        """
        pool = distributed.all_gather_rows(vectors.reshape(-1, vectors.shape[-1]))
        # A generator of its own, equal on all processes, leaves the global random state alone.
        generator = torch.Generator().manual_seed(int(self.num_updates))
        picks = torch.randint(len(pool), (int(which.sum()),), generator=generator).to(pool.device)
        self.codebook.data[which] = pool[picks]
        self.ema_cluster_size[which] = len(pool) / self.num_codes
        self.ema_embed_sum[which] = pool[picks] * self.ema_cluster_size[which][:, None]


class _StraightThrough(torch.autograd.Function):
    """Forward: the codebook entries. Backward: the gradient goes to the input vectors unchanged."""

    @staticmethod
    def forward(ctx: Any, entries: Tensor, vectors: Tensor) -> Tensor:
        return entries.view_as(entries)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, gradient


def _has_nonfinite(vectors: Tensor) -> bool:
    """Whether the vectors of any process hold NaN or Inf, which would stay in the averages forever."""
    # A NaN or Inf makes the sum non-finite. A sum of finite numbers may overflow, so then each is checked.
    nonfinite = ~vectors.sum().isfinite()
    if nonfinite:
        nonfinite = (~vectors.isfinite()).any()
    return bool(distributed.all_reduce_sum(nonfinite.float()) > 0)


def _squared_distance(x: Tensor, y: Tensor) -> Tensor:
    """Squared L2 distance, averaged over the vectors: two (..., D) to ()."""
    return F.mse_loss(x, y) * x.shape[-1]


def perplexity(usage: Tensor) -> Tensor:
    """Perplexity of the code usage, (): K if all codes are used equally often, 1 if only one is used.

    Args:
        usage: (K,), counts, not all zero.
    """
    probabilities = usage.double() / usage.sum()
    return torch.special.entr(probabilities).sum().exp()
