"""Metrics of discrete units, conversions and images: arrays in, numbers out, without a network.

The public functions measure discrete units:

    from speechvq import metrics

    metrics.purity(codes, phones)
    metrics.pnmi(codes, phones)
    metrics.codebook_statistics(codes, num_codes=512).perplexity
    metrics.abx(features, alignments, speakers, frame_rate_hz=50).error

`codes` may come from any model: an array (N,), a list of arrays, or a dict of arrays by utterance.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from speechvq.metrics.functional import (
        CodebookStatistics,
        abx,
        cluster_purity,
        codebook_statistics,
        pnmi,
        purity,
    )

__all__ = ["CodebookStatistics", "abx", "cluster_purity", "codebook_statistics", "pnmi", "purity"]


def __getattr__(name: str) -> Any:
    """Import a metric on first use."""
    if name in __all__:
        return getattr(import_module("speechvq.metrics.functional"), name)
    raise AttributeError(f"module 'speechvq.metrics' has no attribute '{name}'")


def __dir__() -> list[str]:
    """The public names, also those that are not imported yet, and the modules that are."""
    return sorted({*__all__, *(name for name, value in globals().items() if isinstance(value, ModuleType))})
