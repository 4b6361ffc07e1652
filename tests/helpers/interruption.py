"""Ctrl-C at a chosen call of a function."""

from types import ModuleType
from typing import Any

import pytest


def interrupt_call(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, number: int) -> None:
    """Raise KeyboardInterrupt in the `number`-th call of a function, counted from 1; other calls work."""
    real, calls = getattr(module, name), 0

    def interrupted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(module, name, interrupted)
