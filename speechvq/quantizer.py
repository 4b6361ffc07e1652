"""The bottleneck: every vector becomes its nearest codebook entry (van den Oord et al. 2017, section 3)."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.config import QuantizerConfig
from speechvq.runtime import distributed

ARGMAX_BLOCK = 64  # scores whose maximum is taken at once


class QuantizerOutput(NamedTuple):
    """What the quantiser returns."""

    vectors: Tensor  # (..., D), the nearest entries; the gradient passes straight through to the input
    codes: Tensor  # (...), int64 in [0, K)
    loss: Tensor  # (), codebook and commitment terms of eq. 3
    usage: Tensor  # (K,), how often each code was chosen in this batch; in training over all processes


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
    # argmin |x - e|^2 = argmax x.e - |e|^2 / 2: one product, and |x|^2 is never formed.
    offset, transposed = codebook.square().sum(-1).mul(-0.5), codebook.t()
    rows = vectors.reshape(-1, vectors.shape[-1]).split(chunk)
    best = [_blocked_argmax(torch.addmm(offset, part, transposed)) for part in rows]
    return torch.cat(best).view(vectors.shape[:-1])


def _blocked_argmax(scores: Tensor) -> Tensor:
    """Index of the highest score, of equals the first: (n, K) to (n,).

    torch's argmax takes number after number, but its maximum many at once: so first the best block, then the
    best in it. That halves the time for K = 512 and more.
    """
    rows, width = scores.shape
    if width % ARGMAX_BLOCK or scores.device.type != "cpu":
        return scores.argmax(-1)
    blocks = scores.reshape(rows * (width // ARGMAX_BLOCK), ARGMAX_BLOCK)
    best = blocks.amax(-1).view(rows, -1).argmax(-1)
    chosen = blocks.index_select(0, best + torch.arange(0, len(blocks), width // ARGMAX_BLOCK))
    return chosen.argmax(-1).add_(best, alpha=ARGMAX_BLOCK)


class VectorQuantizer(nn.Module):
    """A codebook of K vectors of width D, learnt by loss (eq. 3) or by moving averages (appendix A.1).

    The last axis is quantised, all others are free, so one module serves sound, images and video. It computes
    in fp32 also under autocast. With several processes, usage and averages are those of the joined batch.

    Buffers:
        initialized: (), bool; the first training batch lays the codebook among the encoder's outputs (our
            choice).
        counts: (K,), moving average of the usage; N_i of appendix A.1.
        sums: (K, D), moving average of the vectors' sums; m_i of appendix A.1.
        updates: (), int64, training steps seen; seeds the draw of revived codes.
    """

    codebook: Tensor
    initialized: Tensor
    ema_cluster_size: Tensor
    ema_embed_sum: Tensor
    num_updates: Tensor

    def __init__(self, config: QuantizerConfig) -> None:
        super().__init__()
        self.config = config
        codebook = torch.randn(config.num_codes, config.dim)
        if config.codebook == "loss":
            self.codebook = nn.Parameter(codebook)
        else:
            self.register_buffer("codebook", codebook)
        self.register_buffer("initialized", torch.tensor(False))
        self.register_buffer("ema_cluster_size", torch.ones(config.num_codes))
        self.register_buffer("ema_embed_sum", codebook.clone())
        self.register_buffer("num_updates", torch.tensor(0))

    def forward(self, vectors: Tensor) -> QuantizerOutput:
        """Quantise, and in training mode learn.

        Args:
            vectors: (..., D), any float type.

        Raises:
            ValueError: the last axis is not D.
        """
        with torch.autocast(vectors.device.type, enabled=False):
            vectors = vectors.float()
            if self.training and not self.initialized:
                self._init_codebook_from_batch(vectors)
            codes = nearest_code(vectors.detach(), self.codebook.detach())
            quantised = F.embedding(codes, self.codebook)
            loss = self._loss(vectors, quantised)
            usage = torch.bincount(codes.flatten(), minlength=len(self.codebook)).float()
            if self.training:
                usage = distributed.sum_over_processes(usage)
                self._ema_update(vectors.detach(), codes, usage)
            return QuantizerOutput(_StraightThrough.apply(quantised.detach(), vectors), codes, loss, usage)

    def lookup(self, codes: Tensor) -> Tensor:
        """The entries of codes: (...) int64 to (..., D)."""
        return F.embedding(codes, self.codebook)

    def _loss(self, vectors: Tensor, quantised: Tensor) -> Tensor:
        """Second and third term of eq. 3: squared norms, averaged over the N vectors."""
        commitment = self.config.commitment * _squared_distance(vectors, quantised.detach())
        if self.config.codebook == "ema":
            return commitment
        return _squared_distance(quantised, vectors.detach()) + commitment

    @torch.no_grad()
    def init_codebook_kmeans(self, vectors: Tensor) -> None:
        """Lay the codebook among vectors (..., D) by k-means, before training (Lancucki et al. 2020).

        A training step shows a large codebook few vectors; entries drawn from a single step's are much alike. Does
        nothing to a codebook that was laid before, or for fewer vectors than entries. Every process has to be given the
        same vectors.
        """
        rows = vectors.reshape(-1, vectors.shape[-1]).float()
        if self.initialized or _has_nonfinite(rows) or len(rows) < len(self.codebook):
            return
        from sklearn.cluster import KMeans

        found = KMeans(len(self.codebook), n_init=1, max_iter=30, random_state=0).fit(rows.cpu().numpy())
        self.codebook.copy_(torch.from_numpy(found.cluster_centers_))
        usage = torch.from_numpy(found.labels_).bincount(minlength=len(self.codebook)).float()
        self.ema_cluster_size.copy_(usage / usage.mean())
        self.ema_embed_sum.copy_(self.codebook * self.ema_cluster_size[:, None])
        self.initialized.fill_(True)

    @torch.no_grad()
    def _init_codebook_from_batch(self, vectors: Tensor) -> None:
        if _has_nonfinite(vectors):
            return
        self._reinit_codes(torch.ones(len(self.codebook), dtype=torch.bool, device=vectors.device), vectors)
        self.initialized.fill_(True)

    @torch.no_grad()
    def _ema_update(self, vectors: Tensor, codes: Tensor, usage: Tensor) -> None:
        """Moving averages, the EMA codebook, and revival: in this order a revived code stays revived."""
        if _has_nonfinite(vectors):
            return
        decay, flat = self.config.ema_decay, vectors.reshape(-1, vectors.shape[-1])
        self.num_updates += 1
        self.ema_cluster_size.lerp_(usage, 1 - decay)
        if self.config.codebook == "ema":
            sums = torch.zeros_like(self.ema_embed_sum).index_add_(0, codes.flatten(), flat)
            self.ema_embed_sum.lerp_(distributed.sum_over_processes(sums), 1 - decay)
            self.codebook.copy_(self.ema_embed_sum / self.ema_cluster_size.clamp_min(1e-5)[:, None])
        if self.config.dead_code_threshold > 0:
            dead = self.ema_cluster_size < self.config.dead_code_threshold * self.ema_cluster_size.mean()
            if dead.any():
                self._reinit_codes(dead, flat)

    def _reinit_codes(self, which: Tensor, vectors: Tensor) -> None:
        """Draw the chosen codes anew from the vectors of all processes, and let them start with mean usage.

        Count and sum are reset too: a revived entry with its old sum would be overwritten at the next
        average.
        """
        pool = distributed.gather_over_processes(vectors.reshape(-1, vectors.shape[-1]))
        generator = torch.Generator().manual_seed(int(self.num_updates))
        picks = torch.randint(len(pool), (int(which.sum()),), generator=generator).to(pool.device)
        self.codebook.data[which] = pool[picks]
        self.ema_cluster_size[which] = len(pool) / len(self.codebook)
        self.ema_embed_sum[which] = pool[picks] * self.ema_cluster_size[which][:, None]


class _StraightThrough(torch.autograd.Function):
    """The entries forward; backward the gradient goes to the vectors as if they had been passed on."""

    @staticmethod
    def forward(ctx: Any, entries: Tensor, vectors: Tensor) -> Tensor:  # type: ignore[override]
        return entries.view_as(entries)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:  # type: ignore[override]
        return None, gradient


def _has_nonfinite(vectors: Tensor) -> bool:
    """Whether any process holds NaN or Inf, which would stay in the averages for ever."""
    # One of them makes the sum NaN or Inf. A sum may also be too large; then every number is looked at.
    broken = ~vectors.sum().isfinite()
    if broken:
        broken = (~vectors.isfinite()).any()
    return bool(distributed.sum_over_processes(broken.float()) > 0)


def _squared_distance(x: Tensor, y: Tensor) -> Tensor:
    """Mean of |x - y|^2 over vectors: two (..., D) to ()."""
    return F.mse_loss(x, y) * x.shape[-1]


def perplexity(usage: Tensor) -> Tensor:
    """exp of the entropy of code usage, in codes: K when all are used alike, 1 when only one is.

    Args:
        usage: (K,), counts, not all zero.
    """
    share = usage.double() / usage.sum()
    return torch.special.entr(share).sum().exp()
