"""The whole speech model: a VQ-VAE with a waveform encoder, a WaveNet decoder and named voices."""

import difflib
import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from speechvq.audio.f0 import F0_HOP, f0_contour
from speechvq.audio.f0_conditioning import f0_at_code_rate, f0_at_frame_rate, shift_f0
from speechvq.audio.glottal_phase import phase_from_f0
from speechvq.audio.mulaw import MuLawCodec
from speechvq.audio.waveform import normalize_level
from speechvq.config import SpeechConfig
from speechvq.errors import UserError
from speechvq.io.hub import upload
from speechvq.quantizer import VectorQuantizer
from speechvq.speech.decoder.decoder import Decoder
from speechvq.speech.encoder.encoder import Encoder
from speechvq.speech.model_directory import load_speech_model, save_model
from speechvq.speech.sampling.overlap_add import OverlapAddResult, overlap_add, split
from speechvq.speech.sampling.request import SynthesisRequest
from speechvq.speech.sampling.synthesize import SamplingOptions, synthesize
from speechvq.vqvae import VQVAE

CHUNKS_AT_ONCE = 32  # of a long sound that is cut; bounds the memory
ENCODE_SECONDS = 10  # of sound encoded at once; bounds the memory of long files


class SpeechVQ(VQVAE):
    """A speech VQ-VAE. As a VQVAE, x is a waveform (B, T) and the condition a speaker's number (B,).

    A decoder that is told the pitch has the contour as a second condition. The methods below take and give single
    utterances as numpy arrays at 16 kHz and of any length.

    Buffers:
        speaker_f0: (S,), Hz, the voices' mean pitch; 0 where unknown.
    """

    speaker_f0: Tensor

    encoder: Encoder
    decoder: Decoder

    def __init__(self, config: SpeechConfig, speakers: Sequence[str]) -> None:
        """
        Args:
            config: sizes and options.
            speakers: the voices' names; a voice's number is its place here.
        """
        companding = MuLawCodec(config.preemphasis, config.wavenet.mulaw_bins)
        super().__init__(
            Encoder(config.encoder, config.quantizer.dim, companding),
            VectorQuantizer(config.quantizer),
            Decoder(config, len(speakers), companding),
        )
        self.config, self.speakers = config, tuple(speakers)
        self.frozen = False  # whether encoder and codebook stay as they are also in training mode
        self.register_buffer("speaker_f0", torch.zeros(len(speakers)))

    @classmethod
    def from_pretrained(cls, name: str | Path) -> "SpeechVQ":
        """A model ready to encode and speak.

        Args:
            name: a model directory, a run directory that has one in `model/`, or the name of a bundled model, or of
                one on the Hugging Face hub, hub:OWNER/NAME (extra "hub").

        Raises:
            UserError: not a model; a damaged or hostile file; configuration and weights that differ.
        """
        return load_speech_model(name, cls)

    def save_pretrained(self, folder: str | Path, *, half: bool = False) -> None:
        """Write a model directory; `half` in half the bytes.

        Raises:
            UserError: the disk is full or not writable.
        """
        save_model(Path(folder), self, half=half)

    def push_to_hub(self, name: str, *, private: bool = False, half: bool = True) -> str:
        """Put the model on the Hugging Face hub as OWNER/NAME (extra "hub"); returns where it is.

        Raises:
            UserError: not logged in, no network, or the extra is missing.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder, half=half)
            return upload(Path(folder), name, private=private)

    def train(self, mode: bool = True) -> "SpeechVQ":
        """Training mode, or evaluation mode; the encoder's and the codebook's is evaluation where they are held."""
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
            self.quantizer.eval()
        return self

    def speaker_index(self, name: str) -> int:
        """Number of a voice.

        Raises:
            UserError: no such voice; lists the nearest names.
        """
        if name not in self.speakers:
            near = difflib.get_close_matches(name, self.speakers, n=5, cutoff=0.0)
            raise UserError(
                f"unknown speaker '{name}'; nearest: {', '.join(near)} (--list-speakers shows all)"
            )
        return self.speakers.index(name)

    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that tell this codebook from any other."""
        return hashlib.sha256(self.quantizer.codebook.detach().cpu().numpy().tobytes()).hexdigest()[:16]

    @torch.no_grad()
    def encode(self, wave: np.ndarray) -> np.ndarray:
        """Codes of an utterance: (T,) float to (N,) int64, N = ceil(T / hop).

        Its level does not matter. Long sound is encoded in pieces that overlap by what the encoder sees, so
        the codes are those of the whole.
        """
        hop, device = self.config.hop, self.quantizer.codebook.device
        padded = torch.from_numpy(
            np.pad(normalize_level(np.asarray(wave, np.float32)), (0, -len(wave) % hop))
        )
        piece, margin = (
            max(round(ENCODE_SECONDS * self.config.sample_rate) // hop, 1),
            self.encoder.context_frames,
        )
        pieces = []  # with what is around them, and which of their codes are their own
        for start in range(0, len(padded) // hop, piece):
            first = max(start - margin, 0)
            part = padded[None, first * hop : (start + piece + margin) * hop].to(device)
            own = slice(start - first, min(start - first + piece, part.shape[1] // hop))
            pieces.append((part, own))
        colour = self.encoder.utterance_mean(
            (part, slice(own.start * hop, own.stop * hop)) for part, own in pieces
        )
        codes = [self.quantizer(self.encoder(part, colour)).codes[0, own] for part, own in pieces]
        return torch.cat(codes).cpu().numpy() if codes else np.empty(0, np.int64)

    def encode_crops(self, wave: Tensor) -> Tensor:
        """Codes of a batch of crops that are prepared as for training: (B, T), T a multiple of the hop, to (B, N).

        The level is not normalized and the batch is not split: this is the path of training. Use `encode` elsewhere.
        """
        return self.quantizer(self.encoder(wave)).codes

    def decode(
        self,
        codes: Sequence[np.ndarray],
        speakers: Sequence[str],
        *,
        f0: Sequence[np.ndarray] | None = None,
        phase: Sequence[np.ndarray] | None = None,
        offsets: Sequence[int] | None = None,
        on_frame: Callable[[int], None] | None = None,
        **sampling: Any,
    ) -> list[np.ndarray]:
        """Speak several code strings side by side.

        Args:
            codes: one (N,) for each utterance.
            speakers: a voice's name for each.
            pitch: for each a contour (F,) in Hz, 0 where unvoiced, 10 ms apart, for a decoder that is told the
                pitch; without it every voice speaks with the intonation that follows from the codes, about its own
                mean, or at its mean all the time if the model has none.
            phase: for each the classes (N x hop,) of `audio.phase`, for a decoder that is told the phase; without it
                every voice's cycles follow its contour from the beginning.
            offsets: for each the sample of a longer sound at which it begins, and its chance with it.
            on_frame: told how many code frames are done.
            sampling: the fields of `speaking.Sampling`: seed, temperature, top_p, voicing, engine, precision.

        Returns:
            One (N x hop,) float32 for each, at the package's level.

        Raises:
            UserError: an unknown voice, or a code outside the codebook.
        """
        device = self.quantizer.codebook.device
        numbers = torch.tensor([self.speaker_index(name) for name in speakers], device=device)
        if not any(len(each) for each in codes):
            return [np.empty(0, np.float32) for _ in codes]
        batch = nn.utils.rnn.pad_sequence([self._checked(each) for each in codes], batch_first=True)
        if f0 is None and self.config.wavenet.condition_on_f0:
            f0 = [self.predict_f0(each, name) for each, name in zip(codes, speakers)]
        script = SynthesisRequest(
            self.quantizer.lookup(batch.to(device)),
            numbers,
            self.config.hop,
            self._pitch(codes, numbers, f0),
            torch.tensor([len(each) for each in codes], device=device),
            self._phase(codes, numbers, f0, phase),
        )
        return synthesize(
            self.decoder, script, SamplingOptions(**sampling), offsets=offsets, on_frame=on_frame
        )

    def predict_f0(self, codes: np.ndarray, speaker: str) -> np.ndarray:
        """A contour for codes that nobody spoke, in a voice's range: (N,) to (F,), Hz, 0 where unvoiced, 10 ms apart.

        Without an intonation of its own the model hums at the voice's mean.

        Raises:
            UserError: an unknown voice, or a code outside the codebook.
        """
        number, hop, decoder = self.speaker_index(speaker), self.config.hop, self.decoder
        mean = float(self.speaker_f0[number])
        if decoder.intonation is None:
            return np.full(-(-len(codes) * hop // F0_HOP), mean, np.float32)
        device = self.quantizer.codebook.device
        vectors = self.quantizer.lookup(self._checked(codes).to(device))[None]
        voice = decoder.wavenet.conditioning.speaker_vectors(torch.tensor([number], device=device))
        return shift_f0(
            f0_at_frame_rate(decoder.intonation.predict_f0(vectors, voice)[0].cpu().numpy(), hop), mean
        )

    def convert(self, wave: np.ndarray, speaker: str, *, chunked: bool = False, **options: Any) -> np.ndarray:
        """The same sentence in another voice.

        Args:
            wave: (T,), float, 16 kHz.
            speaker: the target's name.
            chunked: cut a long sound into overlapping streams: faster, and an approximation, see `chunks`.
            options: on_frame (on_chunks of a sound that is cut) and the fields of Sampling, as in `speak`.

        Returns:
            (T,), float32: as long as the source and as loud.

        Raises:
            UserError: an unknown voice.
        """
        if not chunked:
            return self.convert_all([wave], [speaker], **options)[0]
        return match_level(self.convert_chunked(wave, speaker, **options).wave[: len(wave)], wave)

    def convert_all(
        self, waves: Sequence[np.ndarray], speakers: Sequence[str], **options: Any
    ) -> list[np.ndarray]:
        """Like `convert`, several sentences side by side, each into its own target."""
        codes = [self.encode(wave) for wave in waves]
        pitch = [self._target_f0(wave, name) for wave, name in zip(waves, speakers)]
        spoken = self.decode(codes, speakers, f0=pitch, **options)
        return [match_level(new[: len(wave)], wave) for new, wave in zip(spoken, waves)]

    def convert_chunked(
        self,
        wave: np.ndarray,
        speaker: str,
        *,
        on_chunks: Callable[[float], None] | None = None,
        **options: Any,
    ) -> OverlapAddResult:
        """A conversion at the package's level, spoken as overlapping chunks side by side, and how well they join.

        Args:
            wave, speaker: as in `convert`.
            on_chunks: told which share of the chunks is done.
            options: the fields of Sampling.
        """
        codes, pitch, hop = self.encode(wave), self._target_f0(wave, speaker), self.config.hop
        if not len(codes):
            return OverlapAddResult(np.empty(0, np.float32), np.empty(0))
        chunks, sounds, phase = split(len(codes), hop), [], phase_from_f0(pitch, len(codes) * hop)
        for some in (chunks[i : i + CHUNKS_AT_ONCE] for i in range(0, len(chunks), CHUNKS_AT_ONCE)):
            sounds += self.decode(
                [codes[chunk.first : chunk.last] for chunk in some],
                [speaker] * len(some),
                f0=[pitch[chunk.first * hop // F0_HOP : -(-chunk.last * hop // F0_HOP)] for chunk in some],
                phase=[phase[chunk.first * hop : chunk.last * hop] for chunk in some],
                offsets=[chunk.first * hop for chunk in some],
                **options,
            )
            if on_chunks is not None:
                on_chunks(len(sounds) / len(chunks))
        return overlap_add(sounds, chunks, hop)

    def _target_f0(self, wave: np.ndarray, speaker: str) -> np.ndarray:
        """Contour of a sound (T,), moved to a voice: (F,), Hz; of no frames for a decoder that is not told."""
        if not self.config.wavenet.condition_on_f0:
            return np.empty(0, np.float32)
        return shift_f0(f0_contour(wave), float(self.speaker_f0[self.speaker_index(speaker)]))

    def _pitch(
        self, codes: Sequence[np.ndarray], numbers: Tensor, pitch: Sequence[np.ndarray] | None
    ) -> Tensor | None:
        """Contours at the code rate, (B, N), or None for a decoder that is not told the pitch."""
        if pitch is None or not self.config.wavenet.condition_on_f0:
            return None
        rows = [
            f0_at_code_rate(torch.from_numpy(one)[None], len(each), self.config.hop)[0]
            if len(one)
            else torch.zeros(len(each))
            for one, each in zip(pitch, codes)
        ]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True).to(numbers.device)

    def _phase(
        self,
        codes: Sequence[np.ndarray],
        numbers: Tensor,
        pitch: Sequence[np.ndarray] | None,
        phase: Sequence[np.ndarray] | None,
    ) -> Tensor | None:
        """Phases of all samples, (B, T), or None for a decoder that is not told the phase."""
        if not self.config.wavenet.condition_on_phase:
            return None
        samples = [len(each) * self.config.hop for each in codes]
        if phase is None:
            phase = [phase_from_f0(one, n) for one, n in zip(pitch or [], samples)]
        rows = [torch.from_numpy(np.asarray(one[:n], np.uint8)) for one, n in zip(phase, samples)]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True).to(numbers.device)

    def _checked(self, codes: np.ndarray) -> Tensor:
        if len(codes) and not 0 <= codes.min() <= codes.max() < self.config.quantizer.num_codes:
            raise UserError(
                f"codes from {codes.min()} to {codes.max()}: this model has {self.config.quantizer.num_codes}"
            )
        return torch.from_numpy(np.asarray(codes, np.int64))


def match_level(wave: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Scale a sound to the RMS of another, never past full scale: (T,) and (T',) to (T,), float32."""
    rms = float(np.sqrt(np.mean(np.square(reference, dtype=np.float64)))) if len(reference) else 0.0
    return normalize_level(wave, rms).astype(np.float32) if rms > 0 else np.zeros_like(wave)


def load_model(name: str | Path) -> SpeechVQ:
    """As `SpeechVQ.from_pretrained`."""
    return SpeechVQ.from_pretrained(name)
