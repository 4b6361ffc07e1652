"""A time-varying all-pole filter in numba."""

from numba import njit

from speechvq.speech.sampling.matmul_kernels import OPTIONS


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
