"""Reference implementations by loops, independent of the package, that the fast code must equal."""

import math
from collections.abc import Sequence

import numpy as np


def nearest_code(vectors: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    """Index of the nearest entry in float64, (n, D) and (K, D) to (n,); ties go to the lower index."""
    codes = np.empty(len(vectors), np.int64)
    for i, vector in enumerate(vectors.astype(np.float64)):
        best = math.inf
        for k, entry in enumerate(codebook.astype(np.float64)):
            distance = float(np.sum((vector - entry) ** 2))
            if distance < best:
                best, codes[i] = distance, k
    return codes


def moving_average(start: np.ndarray, values: Sequence[np.ndarray], decay: float) -> np.ndarray:
    """Closed form after n values: decay^n start + (1 - decay) sum of decay^(n - i) value i."""
    total = decay ** len(values) * start.astype(np.float64)
    for i, value in enumerate(values, start=1):
        total = total + (1 - decay) * decay ** (len(values) - i) * value.astype(np.float64)
    return total


def perplexity(counts: Sequence[float]) -> float:
    """2 to the entropy in bits."""
    shares = [count / sum(counts) for count in counts if count > 0]
    return float(2 ** -sum(share * math.log2(share) for share in shares))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-x)."""
    return 1 / (1 + np.exp(-x))


def convolution3(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Width 3 with a zero on either side: (N, c_in), (c_out, c_in, 3), (c_out,) to (N, c_out)."""
    rows = []
    for n in range(len(x)):
        total = bias.copy()
        for tap in range(3):
            if 0 <= n + tap - 1 < len(x):
                total = total + weight[:, :, tap] @ x[n + tap - 1]
        rows.append(total)
    return np.stack(rows)


def wavenet(
    weights: dict[str, np.ndarray],
    levels: np.ndarray,
    vectors: np.ndarray,
    speaker: int,
    dilations: Sequence[int],
) -> np.ndarray:
    """Logits of one stream, sample by sample and layer by layer, from a WaveNet's weights by name.

    Args:
        weights: float64, a state dict.
        levels: (T,).
        vectors: (N, D), T = N x hop.
        speaker: speaker index.
        dilations: of every layer.

    Returns:
        (T, levels).
    """
    c, n = "conditioning.", "conditioning.network.layers."
    voice = np.tile(weights[c + "speaker_embedding.weight"][speaker], (len(vectors), 1))
    near = convolution3(np.hstack([vectors, voice]), weights[n + "0.weight"], weights[n + "0.bias"]).clip(0)
    wide = (near + convolution3(near, weights[n + "1.weight"], weights[n + "1.bias"])).clip(0)
    biases = wide @ weights[c + "project.weight"][:, :, 0].T + weights[c + "project.bias"]
    residual, hop = weights["embedding"].shape[1], len(levels) // len(vectors)
    past = [[np.zeros(residual)] * len(levels) for _ in dilations]  # inputs of every layer, by time
    middle = len(weights["embedding"]) // 2
    logits = []
    for t in range(len(levels)):
        x, total = weights["embedding"][levels[t - 1] if t else middle], 0.0
        for i, dilation in enumerate(dilations):
            past[i][t] = x
            before = past[i][t - dilation] if t >= dilation else np.zeros(residual)
            bias = biases[t // hop, 2 * residual * i : 2 * residual * (i + 1)]
            a = weights[f"layers.{i}.gate"] @ np.concatenate([before, x]) + bias
            # The filter's weights are doubled by the layer; its bias is not, and is learned at that scale.
            doubled = weights[f"layers.{i}.gate"][:residual] @ np.concatenate([before, x])
            gated = np.tanh((2 * doubled + bias[:residual]) / 2) * sigmoid(a[residual:])
            out = weights[f"layers.{i}.out"] @ gated + weights[f"layers.{i}.out_bias"][:, 0]
            x, total = x + out[:residual], total + out[residual:]
        hidden = (
            weights["hidden.weight"] @ (total / math.sqrt(len(dilations))).clip(0) + weights["hidden.bias"]
        )
        logits.append(weights["logits.weight"] @ hidden.clip(0) + weights["logits.bias"])
    return np.stack(logits)


def draw(logits: np.ndarray, uniform: float, temperature: float = 1.0, top_p: float = 1.0) -> int:
    """Sample by inversion: the level whose step of the cumulative distribution contains `uniform`."""
    shares = np.exp((logits - logits.max()) / temperature)
    shares = shares / shares.sum()
    kept, together = set(), 0.0
    for level in sorted(range(len(shares)), key=lambda k: (-shares[k], k)):
        if kept and together >= top_p:
            break
        kept.add(level)
        together += shares[level]
    below = 0.0
    for level, share in enumerate(shares):
        if level in kept:
            below += share / together
            if uniform < below:
                return level
    return max(kept)


def mu_law(x: float, levels: int) -> int:
    """Level of a value in [-1, 1]: sign(x) ln(1 + mu |x|) / ln(1 + mu), rounded to the nearest of 0 to mu."""
    mu = levels - 1
    return math.floor((math.copysign(math.log1p(mu * abs(x)) / math.log1p(mu), x) + 1) / 2 * mu + 0.5)


def mu_law_inverse(level: int, levels: int) -> float:
    """The value of a mu-law level."""
    mu = levels - 1
    y = 2 * level / mu - 1
    return math.copysign(((1 + mu) ** abs(y) - 1) / mu, y)


def emphasise(wave: np.ndarray, emphasis: float, gain: float) -> np.ndarray:
    """gain (x[t] - a x[t-1]), (T,)."""
    return np.array([gain * (wave[t] - emphasis * (wave[t - 1] if t else 0.0)) for t in range(len(wave))])


def deemphasise(emphasised: np.ndarray, emphasis: float, gain: float) -> np.ndarray:
    """The inverse of `emphasise`, (T,)."""
    wave, before = [], 0.0
    for value in emphasised:
        before = value / gain + emphasis * before
        wave.append(before)
    return np.array(wave)


def phone_scores(phones: Sequence[str], codes: Sequence[int]) -> dict[str, float]:
    """Majority prior, phone purity, cluster purity, PNMI and perplexity of frames, counted by loops."""
    pairs = list(zip(phones, codes))
    right = kept = 0
    for code in set(codes):
        right += max(sum(pair == (phone, code) for pair in pairs) for phone in set(phones))
    for phone in set(phones):
        kept += max(sum(pair == (phone, code) for pair in pairs) for code in set(codes))
    entropy = {"phone": 0.0, "code": 0.0}
    shared = 0.0
    for name, values in (("phone", list(phones)), ("code", list(codes))):
        for value in set(values):
            share = values.count(value) / len(values)
            entropy[name] -= share * math.log2(share)
    for phone, code in set(pairs):
        share = pairs.count((phone, code)) / len(pairs)
        apart = list(phones).count(phone) / len(pairs) * list(codes).count(code) / len(pairs)
        shared += share * math.log2(share / apart)
    return {
        "majority_prior": max(list(phones).count(phone) for phone in set(phones)) / len(pairs),
        "phone_purity": right / len(pairs),
        "cluster_purity": kept / len(pairs),
        "pnmi": shared / entropy["phone"] if entropy["phone"] else 1.0,
        "perplexity": 2 ** entropy["code"],
    }


def held_out_purity(fit: Sequence[tuple[str, int]], score: Sequence[tuple[str, int]]) -> float:
    """Correct (phone, code) pairs of `score` under the map of `fit`; ties count as fractions."""
    frequency: dict[str, int] = {}
    for phone, _ in fit:
        frequency[phone] = frequency.get(phone, 0) + 1
    right = 0.0
    for phone, code in score:
        counts = {name: fit.count((name, code)) for name in frequency}
        most = max(counts.values())
        tied = [name for name in counts if counts[name] == most]
        tied = [name for name in tied if frequency[name] == max(frequency[other] for other in tied)]
        right += (phone in tied) / len(tied)
    return right
