"""A line before PyTorch is imported, which takes seconds: no command is silent at its start."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType

from speechvq.runtime.logging import logger

LINE = "loading PyTorch ..."


class _Notice:
    """An import finder that finds nothing and logs a line before the first import of torch."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None: the next finder searches."""
        if name == "torch" and self in sys.meta_path:
            sys.meta_path.remove(self)
            logger.info(LINE)
        return None


@contextmanager
def loading_notice() -> Iterator[None]:
    """Log a line if torch is imported in this context, and was not before.

    Mistakes that show before that stay one line.
    """
    notice = _Notice()
    if "torch" not in sys.modules:
        sys.meta_path.insert(0, notice)
    try:
        yield
    finally:
        if notice in sys.meta_path:
            sys.meta_path.remove(notice)
