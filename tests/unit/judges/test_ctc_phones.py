"""The CTC phone recognizer by a stub: its IPA becomes CMUdict phones, and the extra is named."""

import sys
import types

import numpy as np
import pytest

from speechvq.alignment.phones import PHONES, SILENCE
from speechvq.errors import UserError
from speechvq.judges.ctc_phones import IPA, CtcPhoneRecognizer


def test_every_phone_has_a_symbol_and_no_symbol_two_phones() -> None:
    assert set(IPA) == set(PHONES) - {SILENCE}
    symbols = " ".join(IPA.values()).split()
    assert len(symbols) == len(set(symbols))


def test_symbols_become_phones(monkeypatch: pytest.MonkeyPatch) -> None:
    class ASRModel:
        def __call__(self, wave: np.ndarray, rate: int) -> types.SimpleNamespace:
            assert wave.dtype == np.float32 and rate == 16_000
            return types.SimpleNamespace(phonemes=["t͡ʃ", "æ", "p", "p͈"])

    stub = types.ModuleType("hama")
    stub.ASRModel = ASRModel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "hama", stub)
    recognizer = CtcPhoneRecognizer()
    assert (
        recognizer.phones(np.zeros(9000)) == ["CH", "AE", "P", "p͈"] and recognizer.phones(np.zeros(9)) == []
    )


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hama", None)
    with pytest.raises(UserError, match=r"pip install 'speechvq\[phones\]'"):
        CtcPhoneRecognizer()
