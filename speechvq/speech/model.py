"""The whole speech model: a VQ-VAE with a waveform encoder, a WaveNet decoder and named voices."""

import difflib
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.audio.pitch import contour
from speechvq.audio.waveform import normalise_level
from speechvq.config import SpeechConfig
from speechvq.errors import UserError
from speechvq.quantizer import VectorQuantizer
from speechvq.speech.companding import Companding
from speechvq.speech.contour import at_code_rate, shift_pitch
from speechvq.speech.encoder import Encoder, jitter
from speechvq.speech.sampler import sample
from speechvq.speech.wavenet import WaveNet
from speechvq.vqvae import VQVAE

ENCODE_SECONDS = 20  # of sound encoded at once; bounds the memory of long files


class Decoder(nn.Module):
    """The WaveNet as a likelihood: codes and speaker in, nats of the waveform out."""

    def __init__(self, config: SpeechConfig, speakers: int, companding: Companding) -> None:
        super().__init__()
        self.jitter, self.companding = config.jitter, companding
        self.wavenet = WaveNet(config.wavenet, config.quantizer.dim, speakers)

    def nats(self, wave: Tensor, vectors: Tensor, speaker: Tensor, pitch: Tensor | None = None) -> Tensor:
        """-log p(levels | vectors, speaker), nats a sample, ().

        Args:
            wave: (B, T), T a multiple of the hop.
            vectors: (B, N, D).
            speaker: (B,), int64.
            pitch: (B, F), Hz, 0 where unvoiced, 10 ms apart; for a decoder that is told the pitch.
        """
        if pitch is not None and self.wavenet.config.pitch:
            pitch = at_code_rate(pitch, vectors.shape[1], wave.shape[1] // vectors.shape[1])
        if self.training and self.jitter > 0:
            vectors = jitter(vectors, self.jitter)
        levels = self.companding.to_levels(self.companding.emphasise(wave))
        logits = self.wavenet(levels, vectors, speaker, pitch)
        return F.cross_entropy(logits.flatten(0, 1).float(), levels.flatten())


class SpeechVQ(VQVAE):
    """A speech VQ-VAE. As a VQVAE, x is a waveform (B, T) and the condition a speaker's number (B,).

    A decoder that is told the pitch has the contour as a second condition. The methods below take and give single
    utterances as numpy arrays at 16 kHz and of any length.

    Buffers:
        voice_pitch: (S,), Hz, the voices' mean pitch; 0 where unknown.
    """

    voice_pitch: Tensor

    encoder: Encoder
    decoder: Decoder

    def __init__(self, config: SpeechConfig, speakers: Sequence[str]) -> None:
        """
        Args:
            config: sizes and options.
            speakers: the voices' names; a voice's number is its place here.
        """
        companding = Companding(config.emphasis, config.wavenet.levels)
        super().__init__(
            Encoder(config.encoder, config.quantizer.dim, companding),
            VectorQuantizer(config.quantizer),
            Decoder(config, len(speakers), companding),
        )
        self.config, self.speakers = config, tuple(speakers)
        self.register_buffer("voice_pitch", torch.zeros(len(speakers)))

    def speaker_number(self, name: str) -> int:
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
    def encode_wave(self, wave: np.ndarray) -> np.ndarray:
        """Codes of an utterance: (T,) float to (N,) int64, N = ceil(T / hop).

        Its level does not matter. Long sound is encoded in pieces that overlap by what the encoder sees, so
        the codes are those of the whole.
        """
        hop, device = self.config.hop, self.quantizer.codebook.device
        padded = np.pad(normalise_level(np.asarray(wave, np.float32)), (0, -len(wave) % hop))
        piece, margin = max(round(ENCODE_SECONDS * self.config.sample_rate) // hop, 1), self.encoder.margin
        codes = []
        for start in range(0, len(padded) // hop, piece):
            first = max(start - margin, 0)
            part = torch.from_numpy(padded[first * hop : (start + piece + margin) * hop]).to(device)
            codes.append(self.encode(part[None])[0, start - first :][:piece])
        return torch.cat(codes).cpu().numpy() if codes else np.empty(0, np.int64)

    def speak(
        self,
        codes: Sequence[np.ndarray],
        speakers: Sequence[str],
        *,
        pitch: Sequence[np.ndarray] | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        top_p: float = 1.0,
        on_frame: Callable[[int], None] | None = None,
    ) -> list[np.ndarray]:
        """Speak several code strings side by side.

        Args:
            codes: one (N,) for each utterance.
            speakers: a voice's name for each.
            pitch: for each a contour (F,) in Hz, 0 where unvoiced, 10 ms apart, for a decoder that is told the
                pitch; without it every voice speaks at its own mean.
            seed: of the chance in every utterance, so a sound does not depend on its neighbours.
            temperature, top_p: sharpen the choice of every sample, see `sampler.draw`.
            on_frame: told how many code frames are done.

        Returns:
            One (N x hop,) float32 for each, at the package's level.

        Raises:
            UserError: an unknown voice, or a code outside the codebook.
        """
        device, hop = self.quantizer.codebook.device, self.config.hop
        numbers = torch.tensor([self.speaker_number(name) for name in speakers], device=device)
        if not any(len(each) for each in codes):
            return [np.empty(0, np.float32) for _ in codes]
        batch = nn.utils.rnn.pad_sequence([self._checked(each) for each in codes], batch_first=True).to(
            device
        )
        chance = torch.rand(
            batch.shape[1] * hop, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
        )
        levels = sample(
            self.decoder.wavenet,
            self.quantizer.lookup(batch),
            numbers,
            chance.to(device).expand(len(batch), -1),
            temperature=temperature,
            top_p=top_p,
            pitch=self._pitch(codes, numbers, pitch),
            frames=torch.tensor([len(each) for each in codes], device=device),
            on_frame=on_frame,
        )
        waves = self.decoder.companding.to_wave(levels).cpu().numpy()
        return [wave[: len(each) * hop] for wave, each in zip(waves, codes)]

    def convert(self, wave: np.ndarray, speaker: str, **options: Any) -> np.ndarray:
        """The same sentence in another voice.

        Args:
            wave: (T,), float, 16 kHz.
            speaker: the target's name.
            options: seed, temperature, top_p and on_frame as in `speak`.

        Returns:
            (T,), float32: as long as the source and as loud.

        Raises:
            UserError: an unknown voice.
        """
        return self.convert_all([wave], [speaker], **options)[0]

    def convert_all(
        self, waves: Sequence[np.ndarray], speakers: Sequence[str], **options: Any
    ) -> list[np.ndarray]:
        """Like `convert`, several sentences side by side, each into its own target."""
        codes = [self.encode_wave(wave) for wave in waves]
        if self.config.wavenet.pitch:
            targets = [float(self.voice_pitch[self.speaker_number(name)]) for name in speakers]
            options["pitch"] = [shift_pitch(contour(wave), hertz) for wave, hertz in zip(waves, targets)]
        spoken = self.speak(codes, speakers, **options)
        return [match_level(new[: len(wave)], wave) for new, wave in zip(spoken, waves)]

    def _pitch(
        self, codes: Sequence[np.ndarray], numbers: Tensor, pitch: Sequence[np.ndarray] | None
    ) -> Tensor | None:
        """Contours at the code rate, (B, N), or None for a decoder that is not told the pitch."""
        if not self.config.wavenet.pitch:
            return None
        if pitch is None:
            return self.voice_pitch[numbers, None].expand(-1, max(map(len, codes)))
        rows = [
            at_code_rate(torch.from_numpy(one)[None], len(each), self.config.hop)[0] if len(one) else torch.zeros(len(each))
            for one, each in zip(pitch, codes)
        ]
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
    return normalise_level(wave, rms).astype(np.float32) if rms > 0 else np.zeros_like(wave)
