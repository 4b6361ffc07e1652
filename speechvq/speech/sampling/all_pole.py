"""A time-varying all-pole filter in numba."""

from numba import njit

from speechvq.speech.sampling.matmul_kernels import OPTIONS


@njit(**OPTIONS)
def levinson_durbin(correlation, taps):  # type: ignore[no-untyped-def]
    """Optimal linear prediction, as `spectral_envelope.levinson_durbin`, of one frame.

    Args:
        correlation: (P + 1,), float64, at lags 0 to P.
        taps: (P,), float64; overwritten by the taps of the predictor, that of the newest sample first.

    Returns:
        Variance of the prediction error.
    """
    variance = correlation[0]
    for lag in range(1, len(correlation)):
        total = correlation[lag]
        for j in range(lag - 1):
            total -= taps[j] * correlation[lag - 1 - j]
        reflection = total / variance
        for j in range((lag - 1) // 2):
            first, last = taps[j], taps[lag - 2 - j]
            taps[j], taps[lag - 2 - j] = first - reflection * last, last - reflection * first
        if (lag - 1) % 2:
            taps[(lag - 1) // 2] *= 1 - reflection
        taps[lag - 1] = reflection
        variance *= 1 - reflection * reflection
    return variance


@njit(**OPTIONS)
def all_pole(excitation, taps, past, hop):  # type: ignore[no-untyped-def]
    """Filter a stream in place: y[t] = x[t] + sum of taps[j] y[t - 1 - j].

    Args:
        excitation: (T,), float64; overwritten by the output.
        taps: (T / hop, P), float64, the tap of the newest sample first.
        past: (P,), float64, the outputs before, the newest first; updated.
        hop: samples per row of taps.
    """
    order = taps.shape[1]
    for t in range(len(excitation)):
        row, total = t // hop, excitation[t]
        for j in range(order):
            total += taps[row, j] * (excitation[t - 1 - j] if j < t else past[j - t])
        excitation[t] = total
    for j in range(order - 1, -1, -1):
        past[j] = excitation[len(excitation) - 1 - j] if j < len(excitation) else past[j - len(excitation)]
