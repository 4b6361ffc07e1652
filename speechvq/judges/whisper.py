"""Speech recognition by Whisper (Radford et al. 2023) through faster-whisper; the optional extra "words".

Decoding is fixed, because each of these choices moves the word error rate: int8 weights, beam 5, temperature
0 without fallback, no text carried over from one window to the next, and one thread.
"""

import hashlib
import warnings
from pathlib import Path

import numpy as np

from speechvq.errors import UserError

REMEDY = "pip install 'speechvq[words]'"
BEAM_SIZE = 5
THREADS = 1  # sums in another order change some words, so the count is fixed and not that of the machine
LANGUAGE = "en"

_WEIGHTS, _NEEDED = "model.bin", ("model.bin", "config.json", "tokenizer.json")


def require_extra() -> None:
    """Check that the packages of the extra can be imported.

    Raises:
        UserError: one of them is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of setuptools, about deprecated imports
            import faster_whisper  # noqa: F401
            import whisper_normalizer.english  # noqa: F401
    except ImportError as error:
        raise UserError(f"WER and CER by Whisper need faster-whisper ({error}): {REMEDY}") from error


class WhisperRecognizer:
    """Transcribes recordings, and normalizes texts as Whisper's authors do before they count errors.

    Attributes:
        description: model, settings and normalizer, for results; it changes when transcripts may change.
    """

    def __init__(self, model: str, *, language: str = LANGUAGE) -> None:
        """
        Args:
            model: a directory with a CTranslate2 conversion of Whisper, or a name that faster-whisper knows,
                such as "base", which it downloads.
            language: of the speech, as Whisper's code: "en", "de". English texts are normalized by Whisper's
                English normalizer (numbers as digits, contractions and titles written out, American
                spelling); others by its basic normalizer (case, punctuation).

        Raises:
            UserError: faster-whisper is not installed; the directory is no such model; an unknown name; a
                name that is not downloaded and there is no network; an unknown language.
        """
        require_extra()
        import faster_whisper
        from whisper_normalizer.basic import BasicTextNormalizer
        from whisper_normalizer.english import EnglishTextNormalizer

        folder = _folder(model)
        try:
            self._model = faster_whisper.WhisperModel(
                str(folder), device="cpu", compute_type="int8", cpu_threads=THREADS
            )
        except (RuntimeError, ValueError) as error:  # of CTranslate2, about damaged or foreign files
            reason = str(error).splitlines()[0]
            raise UserError(
                f"--whisper {model}: cannot be loaded ({reason}); convert or download the model again"
            ) from error
        if language not in (known := self._model.supported_languages):
            raise UserError(f"--language {language}: this model knows {', '.join(known)}")
        self._language = language
        english = language == "en"
        self._normalize = EnglishTextNormalizer() if english else BasicTextNormalizer()
        self.description = (
            f"Whisper '{Path(model).name}' ({_digest(folder / _WEIGHTS)}), faster-whisper "
            f"{faster_whisper.__version__}, int8, beam {BEAM_SIZE}, temperature 0 without fallback, language "
            f"{language}, {THREADS} thread; texts by Whisper's {'English' if english else 'basic'} normalizer"
        )

    def transcribe(self, wave: np.ndarray) -> str:
        """Text of a recording (T,), 16 kHz, as Whisper writes it; "" if it is empty."""
        if not len(wave):
            return ""
        parts, _ = self._model.transcribe(
            np.asarray(wave, np.float32),
            language=self._language,
            beam_size=BEAM_SIZE,
            temperature=0.0,
            condition_on_previous_text=False,
        )
        return " ".join(part.text.strip() for part in parts)

    def words(self, text: str) -> list[str]:
        """The words of a text that are compared."""
        normalized: str = self._normalize(text)
        return normalized.split()


def _folder(model: str) -> Path:
    """The directory of a model, downloaded if it is a name."""
    from faster_whisper.utils import available_models, download_model

    path = Path(model)
    if path.is_dir():
        if missing := [name for name in _NEEDED if not (path / name).is_file()]:
            raise UserError(
                f"--whisper {model}: no Whisper model of CTranslate2 there ({missing[0]} is missing); give a "
                "directory made by ct2-transformers-converter, or a name such as base"
            )
        return path
    if model not in available_models():
        raise UserError(
            f"--whisper {model}: no such directory, and no model of that name; there are "
            f"{', '.join(available_models())}"
        )
    try:
        return Path(download_model(model))
    except Exception as error:  # of the hub's client, which raises many kinds
        raise UserError(
            f"--whisper {model}: cannot be downloaded ({str(error).splitlines()[0]}); connect to the network "
            "once, or give a directory"
        ) from error


def _digest(path: Path) -> str:
    """Eight hexadecimal digits that identify a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:8]
