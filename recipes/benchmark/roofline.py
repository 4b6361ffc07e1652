"""The limits of the core: bytes read per second from an array of a given size, and multiply-adds."""

from collections.abc import Callable

import numpy as np
from numba import njit

FLOATS_AT_ONCE = (
    80  # ten registers of eight floats, or five of sixteen: enough independent additions in flight
)


class Reading:
    """Reads an array repeatedly; `bytes` per call."""

    def __init__(self, size: int, at_least: int = 1 << 28) -> None:
        """
        Args:
            size: bytes of the array; they decide which cache holds it.
            at_least: bytes to read per call.
        """
        self.array = np.ones(max(size // 16, 1) * 4, np.float32)
        self.times = max(at_least // self.array.nbytes, 1)
        self.bytes = self.times * self.array.nbytes

    def __call__(self) -> float:
        """Returns the sum, so that the compiler cannot skip the work."""
        return _read(self.array, self.times)


class MultiplyAdds:
    """Multiply-adds without memory access; `operations` per call, two for each."""

    def __init__(self, times: int = 1_000_000) -> None:
        self.times, self.operations = times, 2 * FLOATS_AT_ONCE * times

    def __call__(self) -> float:
        """Returns the sum, so that the compiler cannot skip the work."""
        return _multiply_add(self.times)


class Products:
    """Square float32 matrix products by a library; `operations` per call."""

    def __init__(self, multiply: Callable[..., object], width: int = 1024) -> None:
        self.multiply, self.operations = multiply, 2 * width**3
        self.left, self.right = np.ones((width, width), np.float32), np.ones((width, width), np.float32)

    def __call__(self) -> object:
        """The product."""
        return self.multiply(self.left, self.right)


@njit(fastmath=True, cache=True)
def _read(array, times):  # type: ignore[no-untyped-def]
    n = len(array) // 4
    a, b, c, d = array[:n], array[n : 2 * n], array[2 * n : 3 * n], array[3 * n :]
    total = np.float32(0.0)
    for _ in range(times):
        for i in range(n):
            total += (a[i] + b[i]) + (c[i] + d[i])
    return total


@njit(fastmath=True, cache=True)
def _multiply_add(times):  # type: ignore[no-untyped-def]
    sums, factor = np.zeros(FLOATS_AT_ONCE, np.float32), np.float32(0.9999)
    for _ in range(times):
        for i in range(FLOATS_AT_ONCE):
            sums[i] = sums[i] * factor + np.float32(0.5)
    return sums.sum()
