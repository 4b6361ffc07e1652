"""Slow reference implementations by loops, independent of the package."""

import math
from collections.abc import Sequence

import numpy as np


def nearest_code(vectors: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    """Index of the nearest codebook entry in float64, (n, D) and (K, D) to (n,); ties: lower index."""
    codes = np.empty(len(vectors), np.int64)
    for i, vector in enumerate(vectors.astype(np.float64)):
        best = math.inf
        for k, entry in enumerate(codebook.astype(np.float64)):
            distance = float(np.sum((vector - entry) ** 2))
            if distance < best:
                best, codes[i] = distance, k
    return codes


def moving_average(start: np.ndarray, values: Sequence[np.ndarray], decay: float) -> np.ndarray:
    """Closed form of an EMA after n values: decay^n start + (1 - decay) sum_i decay^(n - i) value_i."""
    total = decay ** len(values) * start.astype(np.float64)
    for i, value in enumerate(values, start=1):
        total = total + (1 - decay) * decay ** (len(values) - i) * value.astype(np.float64)
    return total


def perplexity(counts: Sequence[float]) -> float:
    """Perplexity of counts: 2 to the power of the entropy in bits."""
    probabilities = [count / sum(counts) for count in counts if count > 0]
    return float(2 ** -sum(p * math.log2(p) for p in probabilities))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-x)."""
    return 1 / (1 + np.exp(-x))


def convolution3(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Convolution of width 3 with zero padding: (N, c_in), (c_out, c_in, 3), (c_out,) to (N, c_out)."""
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
    bins: np.ndarray,
    vectors: np.ndarray,
    speaker: int,
    dilations: Sequence[int],
) -> np.ndarray:
    """Logits of one stream of a WaveNet, computed sample by sample and layer by layer.

    Args:
        weights: state dict of the WaveNet, float64.
        bins: mu-law bins, (T,).
        vectors: code vectors, (N, D) with T = N x hop.
        speaker: speaker index.
        dilations: dilation of each layer.

    Returns:
        (T, Q).
    """
    c, n = "conditioning.", "conditioning.network.layers."
    speakers = np.tile(weights[c + "speaker_embedding.weight"][speaker], (len(vectors), 1))
    first = convolution3(np.hstack([vectors, speakers]), weights[n + "0.weight"], weights[n + "0.bias"]).clip(
        0
    )
    second = (first + convolution3(first, weights[n + "1.weight"], weights[n + "1.bias"])).clip(0)
    biases = second @ weights[c + "project.weight"][:, :, 0].T + weights[c + "project.bias"]
    residual, hop = weights["embedding"].shape[1], len(bins) // len(vectors)
    past = [[np.zeros(residual)] * len(bins) for _ in dilations]  # inputs of each layer over time
    middle = len(weights["embedding"]) // 2
    logits = []
    for t in range(len(bins)):
        x, total = weights["embedding"][bins[t - 1] if t else middle], 0.0
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


def sample_by_inversion(
    logits: np.ndarray, uniform: float, temperature: float = 1.0, top_p: float = 1.0
) -> int:
    """Sample by inversion: the class whose interval of the cumulative distribution contains `uniform`."""
    probabilities = np.exp((logits - logits.max()) / temperature)
    probabilities = probabilities / probabilities.sum()
    kept, kept_mass = set(), 0.0
    for k in sorted(range(len(probabilities)), key=lambda k: (-probabilities[k], k)):
        if kept and kept_mass >= top_p:
            break
        kept.add(k)
        kept_mass += probabilities[k]
    cumulative = 0.0
    for k, probability in enumerate(probabilities):
        if k in kept:
            cumulative += probability / kept_mass
            if uniform < cumulative:
                return k
    return max(kept)


def mu_law(x: float, num_bins: int) -> int:
    """Mu-law bin of x in [-1, 1]: sign(x) ln(1 + mu |x|) / ln(1 + mu), scaled to 0..mu and rounded."""
    mu = num_bins - 1
    return math.floor((math.copysign(math.log1p(mu * abs(x)) / math.log1p(mu), x) + 1) / 2 * mu + 0.5)


def mu_law_inverse(index: int, num_bins: int) -> float:
    """The value of a mu-law bin, by its index."""
    mu = num_bins - 1
    y = 2 * index / mu - 1
    return math.copysign(((1 + mu) ** abs(y) - 1) / mu, y)


def preemphasize(wave: np.ndarray, emphasis: float, gain: float) -> np.ndarray:
    """Pre-emphasis, gain * (x[t] - emphasis * x[t-1]), (T,)."""
    return np.array([gain * (wave[t] - emphasis * (wave[t - 1] if t else 0.0)) for t in range(len(wave))])


def deemphasize(preemphasized: np.ndarray, emphasis: float, gain: float) -> np.ndarray:
    """The inverse of `preemphasize`, (T,)."""
    wave, previous = [], 0.0
    for value in preemphasized:
        previous = value / gain + emphasis * previous
        wave.append(previous)
    return np.array(wave)


def phone_scores(phones: Sequence[str], codes: Sequence[int]) -> dict[str, float]:
    """Majority prior, phone purity, cluster purity, PNMI and perplexity of frames, counted by loops."""
    pairs = list(zip(phones, codes))
    correct = kept = 0
    for code in set(codes):
        correct += max(sum(pair == (phone, code) for pair in pairs) for phone in set(phones))
    for phone in set(phones):
        kept += max(sum(pair == (phone, code) for pair in pairs) for code in set(codes))
    entropy = {"phone": 0.0, "code": 0.0}
    mutual_information = 0.0
    for name, values in (("phone", list(phones)), ("code", list(codes))):
        for value in set(values):
            probability = values.count(value) / len(values)
            entropy[name] -= probability * math.log2(probability)
    for phone, code in set(pairs):
        joint = pairs.count((phone, code)) / len(pairs)
        product = list(phones).count(phone) / len(pairs) * list(codes).count(code) / len(pairs)
        mutual_information += joint * math.log2(joint / product)
    return {
        "majority_prior": max(list(phones).count(phone) for phone in set(phones)) / len(pairs),
        "phone_purity": correct / len(pairs),
        "cluster_purity": kept / len(pairs),
        "pnmi": mutual_information / entropy["phone"] if entropy["phone"] else 1.0,
        "perplexity": 2 ** entropy["code"],
    }


def held_out_purity(fit: Sequence[tuple[str, int]], score: Sequence[tuple[str, int]]) -> float:
    """Number of correct (phone, code) pairs of `score` under the code-to-phone map of `fit`; ties count
    fractionally.
    """
    frequency: dict[str, int] = {}
    for phone, _ in fit:
        frequency[phone] = frequency.get(phone, 0) + 1
    correct = 0.0
    for phone, code in score:
        counts = {name: fit.count((name, code)) for name in frequency}
        most = max(counts.values())
        tied = [name for name in counts if counts[name] == most]
        tied = [name for name in tied if frequency[name] == max(frequency[other] for other in tied)]
        correct += (phone in tied) / len(tied)
    return correct
