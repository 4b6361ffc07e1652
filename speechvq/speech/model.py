"""The speech model: a VQ-VAE with a waveform encoder, a WaveNet decoder and named speakers."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch
from torch import Tensor, nn

from speechvq.audio.f0 import F0_HOP, f0_contour, shift_f0
from speechvq.audio.f0_conditioning import f0_at_frame_rate
from speechvq.audio.glottal_phase import phase_from_f0
from speechvq.audio.mel import FFT, LogMel
from speechvq.audio.mulaw import MuLawCodec
from speechvq.audio.waveform import SAMPLE_RATE, normalize_level, root_mean_square
from speechvq.config import SpeechConfig, to_mapping
from speechvq.errors import UserError
from speechvq.io.hub import upload
from speechvq.io.names import normalized
from speechvq.quantizer import VectorQuantizer
from speechvq.runtime.compilation.notice import compile_notice
from speechvq.runtime.device import find_device
from speechvq.speech.decoder.decoder import Decoder
from speechvq.speech.encoder.encoder import Encoder
from speechvq.speech.encoder.segments import split_into_segments
from speechvq.speech.inputs import Array, as_code_strings, as_contours, as_speakers, as_waveforms
from speechvq.speech.model_directory import load_speech_model, save_model
from speechvq.speech.sampling.overlap_add import OverlapAddResult, overlap_add, split
from speechvq.speech.sampling.request import SynthesisRequest, batch_f0, batch_phase
from speechvq.speech.sampling.synthesize import SamplingOptions, synthesize
from speechvq.speech.speakers.voice_name import speaker_position

if TYPE_CHECKING:
    from speechvq.speech.streaming.conversion import ConversionStream
from speechvq.vqvae import VQVAE

CHUNKS_AT_ONCE = 32  # of a long recording that is split; bounds the memory
ENCODE_SECONDS = 10  # of audio encoded at once; bounds the memory of long recordings
MEL_BANDS = 80  # of `mel` for a model that reads the waveform itself


class SpeechVQ(VQVAE):
    """A speech VQ-VAE. As a VQVAE, x is a waveform (B, T) and the condition a speaker index (B,).

    `encode`, `features`, `mel`, `decode` and `convert` take numpy arrays, torch tensors or lists of them, and
    return numpy arrays. An array keeps its leading axes: (T,) gives (N,), and (B, T) gives (B, N). A list of
    waveforms of any lengths gives a list. Waveforms are mono, float in [-1, 1] or int16. The model has to be
    in evaluation mode, as `speechvq.load` returns it.

    Attributes:
        config: sizes and options.
        speakers: names of the speakers; a speaker's index is its position.
        speaker_f0: (S,), buffer, mean F0 of each speaker, Hz; 0 where unknown.
    """

    encoder: Encoder
    quantizer: VectorQuantizer
    decoder: Decoder
    speaker_f0: Tensor

    def __init__(self, config: SpeechConfig, speakers: Sequence[str]) -> None:
        """
        Args:
            config: sizes and options.
            speakers: names, each once.
        """
        mulaw = MuLawCodec(config.preemphasis, config.wavenet.mulaw_bins)
        super().__init__(
            Encoder(config.encoder, config.quantizer.dim, mulaw),
            VectorQuantizer.from_config(config.quantizer),
            Decoder(config, len(speakers), mulaw),
        )
        self.config, self.speakers = config, tuple(map(normalized, speakers))
        self.register_buffer("speaker_f0", torch.zeros(len(speakers)))

    @classmethod
    def from_pretrained(cls, name: str | Path) -> "SpeechVQ":
        """Load a model in evaluation mode.

        Args:
            name: a model directory; a run directory, which has one in `model/`; the name of a bundled model;
                or a model on the Hugging Face hub, hub:OWNER/NAME (extra "hub").

        Raises:
            UserError: not a model; a damaged or hostile file; configuration and weights that differ.
        """
        return load_speech_model(name, cls)

    def save_pretrained(self, folder: str | Path, *, half: bool = False) -> None:
        """Write a model directory; `half` stores float16 and takes half the bytes.

        Raises:
            UserError: the disk is full or not writable.
        """
        save_model(Path(folder), self, half=half)

    def push_to_hub(
        self,
        name: str,
        *,
        private: bool = False,
        half: bool = True,
        license_id: str | None = None,
        languages: Sequence[str] = (),
        dry_run: bool = False,
    ) -> str:
        """Upload the model with a card to the Hugging Face hub as OWNER/NAME (extra "hub").

        `speechvq.push_to_hub` uploads a folder, with a card of its own.

        Args:
            name: OWNER/NAME.
            private: whether a new repository is private.
            half: upload float16, half the bytes.
            license_id: the hub's name of the license, for example "mit"; None states none.
            languages: ISO 639 codes of the speakers' languages.
            dry_run: connect to nothing, and return the list of files and the card.

        Returns:
            The repository's address; with `dry_run`, the files with their sizes, and the card.

        Raises:
            UserError: not logged in, no network, or the extra is missing.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder, half=half)
            return upload(
                Path(folder),
                name,
                private=private,
                license_id=license_id,
                languages=languages,
                dry_run=dry_run,
            )

    def speaker_index(self, name: str) -> int:
        """Index of a speaker.

        Raises:
            UserError: no such speaker; the message lists the closest names.
        """
        return speaker_position(name, self.speakers)

    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that identify the codebook."""
        return hashlib.sha256(self.quantizer.codebook.detach().cpu().numpy().tobytes()).hexdigest()[:16]

    def digest(self) -> str:
        """Sixteen hexadecimal digits that identify the settings, the speakers and every weight."""
        digest = hashlib.sha256(json.dumps([to_mapping(self.config), self.speakers]).encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def speaker_digest(self, name: str) -> str:
        """Sixteen hexadecimal digits that identify the embedding and the mean F0 of a speaker.

        Raises:
            UserError: no such speaker.
        """
        index = self.speaker_index(name)
        embedding = self.decoder.speaker_embedding.weight[index]
        row = torch.cat([embedding.detach(), self.speaker_f0[index : index + 1]])
        return hashlib.sha256(row.cpu().numpy().tobytes()).hexdigest()[:16]

    @overload  # type: ignore[override]  # the base class encodes prepared tensors only
    def encode(self, wave: Array, *, sample_rate: float = SAMPLE_RATE) -> np.ndarray: ...
    @overload
    def encode(self, wave: Sequence[Array], *, sample_rate: float = SAMPLE_RATE) -> list[np.ndarray]: ...
    @torch.no_grad()
    def encode(self, wave: Array | Sequence[Array], *, sample_rate: float = SAMPLE_RATE) -> Any:
        """Codes of recordings.

        The level of a recording does not change its codes. A long recording is encoded in overlapping
        segments that give the codes of the whole.

        Args:
            wave: (T,), (B, T) or a list of (T,), see `SpeechVQ`.
            sample_rate: of the samples, Hz; other rates than 16 kHz are resampled.

        Returns:
            (N,), (B, N) or a list of (N,), int64, N = ceil(T / hop) for T samples at 16 kHz.

        Raises:
            ValueError: an unsupported shape, type or rate, or samples that are NaN or infinite.
            RuntimeError: the model is in training mode, in which encoding would change it.
        """
        inputs = as_waveforms(wave, sample_rate)
        return inputs.restore([self._encode(each) for each in inputs.items])

    def encode_crops(self, wave: Tensor) -> Tensor:
        """Codes of a batch of training crops: (B, T), T a multiple of the hop, to (B, N), int64.

        This is the path of training: the level is not normalized and a crop is not segmented. Use `encode`
        elsewhere.
        """
        return self.quantizer(self.encoder(wave)).codes

    @overload
    def features(self, wave: Array, *, sample_rate: float = SAMPLE_RATE) -> np.ndarray: ...
    @overload
    def features(self, wave: Sequence[Array], *, sample_rate: float = SAMPLE_RATE) -> list[np.ndarray]: ...
    @torch.no_grad()
    def features(self, wave: Array | Sequence[Array], *, sample_rate: float = SAMPLE_RATE) -> Any:
        """Encoder outputs before quantization, (N, D) float32 per recording; arguments as of `encode`."""
        inputs, width = as_waveforms(wave, sample_rate), self.config.quantizer.dim
        found = []
        for each in inputs.items:
            parts = [part.cpu().numpy() for part, _ in self._encoder_outputs(each)]
            found.append(np.concatenate([np.empty((0, width), np.float32), *parts]))
        return inputs.restore(found)

    @overload
    def mel(self, wave: Array, *, sample_rate: float = SAMPLE_RATE) -> np.ndarray: ...
    @overload
    def mel(self, wave: Sequence[Array], *, sample_rate: float = SAMPLE_RATE) -> list[np.ndarray]: ...
    @torch.no_grad()
    def mel(self, wave: Array | Sequence[Array], *, sample_rate: float = SAMPLE_RATE) -> Any:
        """Log-mel spectrograms, (L, M) float32 per recording, natural logarithm; arguments as of `encode`.

        These are the spectra that the encoder reads, of the level-normalized and pre-emphasized waveform,
        before the mean over the utterance is subtracted. There is one per hop of the mel front end. A model
        that reads the waveform itself gives 80 bands every 10 ms.
        """
        inputs = as_waveforms(wave, sample_rate)
        return inputs.restore([self._mel(each) for each in inputs.items])

    @overload
    def decode(
        self, codes: Array | Sequence[int], speaker: str | Sequence[str], **options: Any
    ) -> np.ndarray: ...
    @overload
    def decode(
        self, codes: Sequence[Array], speaker: str | Sequence[str], **options: Any
    ) -> list[np.ndarray]: ...
    def decode(
        self,
        codes: Array | Sequence[Array] | Sequence[int],
        speaker: str | Sequence[str],
        *,
        f0: Array | Sequence[Array] | None = None,
        on_frame: Callable[[int], None] | None = None,
        **sampling: Any,
    ) -> Any:
        """Synthesize speech from codes; several code strings are sampled side by side.

        Args:
            codes: (N,), (B, N) or a list of (N,), integers.
            speaker: a name, or one name per code string.
            f0: F0 contours in Hz for a decoder that is conditioned on F0: (F,) for each code string, one
                value per 10 ms, 0 where unvoiced. None predicts them from the codes, around the mean F0 of
                the speaker.
            on_frame: called with the number of code frames that are done.
            sampling: fields of `SamplingOptions`: seed, temperature, top_p, harmonic_boost, engine,
                precision.

        Returns:
            (T,), (B, T) or a list of (T,), float32, 16 kHz, T = N x hop, at the level of the training data.

        Raises:
            UserError: an unknown speaker, or a code outside the codebook.
            ValueError: an unsupported shape or type, or an option out of range.
        """
        inputs = as_code_strings(codes)
        speakers = as_speakers(speaker, len(inputs.items))
        contours = as_contours(f0, len(inputs.items))
        options = SamplingOptions(**sampling)
        return inputs.restore(self._decode(inputs.items, speakers, options, f0=contours, on_frame=on_frame))

    def predict_f0(self, codes: np.ndarray, speaker: str) -> np.ndarray:
        """F0 contour predicted from codes, in the range of a speaker.

        A model without an F0 predictor gives the speaker's mean F0 in every frame.

        Args:
            codes: (N,), int64.
            speaker: a name.

        Returns:
            (F,), Hz, 0 where unvoiced, one value per 10 ms.

        Raises:
            UserError: an unknown speaker, or a code outside the codebook.
        """
        index, hop, decoder = self.speaker_index(speaker), self.config.hop, self.decoder
        mean = float(self.speaker_f0[index])
        if decoder.f0_predictor is None:
            return np.full(-(-len(codes) * hop // F0_HOP), mean, np.float32)
        device = self.quantizer.codebook.device
        vectors = self.quantizer.lookup(self._checked(codes).to(device))[None]
        voice = decoder.embed_speaker(torch.tensor([index], device=device))
        f0 = decoder.f0_predictor.predict_f0(vectors, voice)[0].cpu().numpy()
        return shift_f0(f0_at_frame_rate(f0, hop), mean)

    @overload
    def convert(self, wave: Array, speaker: str | Sequence[str], **options: Any) -> np.ndarray: ...
    @overload
    def convert(
        self, wave: Sequence[Array], speaker: str | Sequence[str], **options: Any
    ) -> list[np.ndarray]: ...
    def convert(
        self,
        wave: Array | Sequence[Array],
        speaker: str | Sequence[str],
        *,
        sample_rate: float = SAMPLE_RATE,
        chunked: bool = False,
        live: bool = False,
        on_frame: Callable[[int], None] | None = None,
        **sampling: Any,
    ) -> Any:
        """Convert recordings to the voice of another speaker; several are sampled side by side.

        Args:
            wave: (T,), (B, T) or a list of (T,), see `SpeechVQ`.
            speaker: the target's name, or one name per recording.
            sample_rate: of the samples, Hz; other rates than 16 kHz are resampled.
            chunked: split each recording into overlapping streams: faster, and an approximation, see
                `overlap_add`.
            live: convert each recording as `stream` does, which hears no more of the future than its latency.
            on_frame: called with the number of code frames that are done; not with `chunked` or `live`.
            sampling: fields of `SamplingOptions`, as for `decode`.

        Returns:
            (T,), (B, T) or a list of (T,), float32, always 16 kHz: as long as the source and at its level.

        Raises:
            UserError: an unknown speaker.
            ValueError: an unsupported shape, type or rate, non-finite samples, or an option out of range.
        """
        inputs, options = as_waveforms(wave, sample_rate), SamplingOptions(**sampling)
        waves, speakers = inputs.items, as_speakers(speaker, len(inputs.items))
        for name in dict.fromkeys(speakers):
            self.speaker_index(name)  # refuses an unknown name before the work
        if live:
            return inputs.restore([self._convert_live(*each, options) for each in zip(waves, speakers)])
        if chunked:
            decoded = [self.convert_chunked(*each, **sampling).wave for each in zip(waves, speakers)]
        else:
            f0 = [self._target_f0(*each) for each in zip(waves, speakers)]
            codes = [self._encode(each) for each in waves]
            decoded = self._decode(codes, speakers, options, f0=f0, on_frame=on_frame)
        return inputs.restore([match_level(new[: len(old)], old) for new, old in zip(decoded, waves)])

    def _convert_live(self, wave: np.ndarray, speaker: str, options: SamplingOptions) -> np.ndarray:
        """Conversion (T,) of one waveform as a stream."""
        stream = self.stream(speaker, options.seed, options.harmonic_boost)
        with compile_notice("live conversion"):
            return np.concatenate([stream.push(wave), stream.flush()])

    def stream(self, speaker: str, seed: int = 0, harmonic_boost: float = 0.9) -> "ConversionStream":
        """A stream that converts speech while it is spoken.

        Args:
            speaker: the target's name; the stream's `set_speaker` changes it.
            seed: of the noise.
            harmonic_boost: see `SourceFilter.forward`.

        Raises:
            UserError: an unknown speaker, or a model that needs the whole recording: one with a WaveNet, or
                without limits of its look-ahead.
        """
        from speechvq.speech.streaming.conversion import ConversionStream  # it imports SciPy's filters

        return ConversionStream(self, speaker, seed=seed, harmonic_boost=harmonic_boost)

    def convert_chunked(
        self,
        wave: np.ndarray,
        speaker: str,
        *,
        on_chunks: Callable[[float], None] | None = None,
        **sampling: Any,
    ) -> OverlapAddResult:
        """Convert one recording in overlapping chunks that are sampled side by side.

        Args:
            wave: (T,), float32, 16 kHz.
            speaker: the target's name.
            on_chunks: called with the fraction of the chunks that is done.
            sampling: fields of `SamplingOptions`, as for `decode`.

        Returns:
            The waveform, (N x hop,), at the level of the training data, and the error of each join.
        """
        codes, f0, hop = self._encode(wave), self._target_f0(wave, speaker), self.config.hop
        if not len(codes):
            return OverlapAddResult(np.empty(0, np.float32), np.empty(0))
        chunks, phase = split(len(codes), hop), phase_from_f0(f0, len(codes) * hop)
        options = SamplingOptions(**sampling)
        decoded: list[np.ndarray] = []
        for group in (chunks[i : i + CHUNKS_AT_ONCE] for i in range(0, len(chunks), CHUNKS_AT_ONCE)):
            decoded += self._decode(
                [codes[chunk.start : chunk.stop] for chunk in group],
                [speaker] * len(group),
                options,
                f0=[f0[chunk.start * hop // F0_HOP : -(-chunk.stop * hop // F0_HOP)] for chunk in group],
                phase=[phase[chunk.start * hop : chunk.stop * hop] for chunk in group],
                offsets=[chunk.start * hop for chunk in group],
            )
            if on_chunks is not None:
                on_chunks(len(decoded) / len(chunks))
        return overlap_add(decoded, chunks, hop)

    @torch.no_grad()
    def _encode(self, wave: np.ndarray) -> np.ndarray:
        """Codes of one waveform: (T,), float32, 16 kHz, to (N,), int64."""
        codes = [codes.cpu().numpy() for _, codes in self._encoder_outputs(wave)]
        return np.concatenate([np.empty(0, np.int64), *codes])

    def _encoder_outputs(self, wave: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
        """Encoder outputs (N, D) and codes (N,) of one waveform, segment by segment."""
        if self.encoder.training or self.quantizer.training:  # encoding would change both
            raise RuntimeError("the model is in training mode; call model.eval() before it encodes")
        hop, device = self.config.hop, self.quantizer.codebook.device
        padded = torch.from_numpy(np.pad(normalize_level(wave), (0, -len(wave) % hop))).to(device)
        length = max(round(ENCODE_SECONDS * self.config.sample_rate) // hop, 1)
        segments = split_into_segments(padded, hop, length, self.encoder.context_frames)
        mean = self.encoder.utterance_mean((each.wave, each.samples(hop)) for each in segments)
        for each in segments:
            vectors = self.encoder(each.wave, mean)
            yield vectors[0, each.frames], self.quantizer(vectors).codes[0, each.frames]

    def _mel(self, wave: np.ndarray) -> np.ndarray:
        """Log-mel spectrogram of one waveform: (T,), float32, 16 kHz, to (L, M)."""
        device = self.quantizer.codebook.device
        frontend = self.encoder.frontend
        spectrum = LogMel(MEL_BANDS, F0_HOP).to(device) if frontend is None else frontend.spectrum
        hop = spectrum.hop
        padded = torch.from_numpy(np.pad(normalize_level(wave), (0, -len(wave) % hop))).to(device)
        length, context = round(ENCODE_SECONDS * SAMPLE_RATE) // hop, -(-FFT // hop)
        parts = [
            spectrum(self.encoder.scaled_input(each.wave))[0, each.frames].cpu().numpy()
            for each in split_into_segments(padded, hop, length, context)
        ]
        return np.concatenate([np.empty((0, spectrum.filters.shape[1]), np.float32), *parts])

    def _decode(
        self,
        codes: Sequence[np.ndarray],
        speakers: Sequence[str],
        options: SamplingOptions,
        *,
        f0: Sequence[np.ndarray] | None,
        phase: Sequence[np.ndarray] | None = None,
        offsets: Sequence[int] | None = None,
        on_frame: Callable[[int], None] | None = None,
    ) -> list[np.ndarray]:
        """Waveforms of code strings that are sampled side by side.

        Args:
            codes: (N,), int64, for each stream.
            speakers: a name for each.
            options: how to sample.
            f0: as of `decode`, for each.
            phase: phase bins (N x hop,) for each; None follows the F0 contour from its beginning.
            offsets: first sample of each stream within a longer recording; its random numbers start there.
            on_frame: as of `decode`.

        Returns:
            (N x hop,), float32, for each.
        """
        device, hop = self.quantizer.codebook.device, self.config.hop
        indices = torch.tensor([self.speaker_index(name) for name in speakers], device=device)
        if not any(len(each) for each in codes):
            return [np.empty(0, np.float32) for _ in codes]
        frames = [len(each) for each in codes]
        samples = [count * hop for count in frames]
        batch = nn.utils.rnn.pad_sequence([self._checked(each) for each in codes], batch_first=True)
        if f0 is None and self.config.wavenet.condition_on_f0:
            f0 = [self.predict_f0(*each) for each in zip(codes, speakers)]
        if phase is None and self.config.wavenet.condition_on_phase:
            phase = [phase_from_f0(one, count) for one, count in zip(f0 or [], samples)]
        wavenet = self.config.wavenet
        request = SynthesisRequest(
            self.quantizer.lookup(batch.to(device)),
            indices,
            hop,
            f0=batch_f0(f0, frames, hop).to(device) if f0 and wavenet.condition_on_f0 else None,
            num_frames=torch.tensor(frames, device=device),
            phase=batch_phase(phase, samples).to(device) if phase and wavenet.condition_on_phase else None,
        )
        return synthesize(self.decoder, request, options, offsets=offsets, on_frame=on_frame)

    def _target_f0(self, wave: np.ndarray, speaker: str) -> np.ndarray:
        """F0 contour (F,) of a waveform (T,), shifted to a speaker, Hz; empty for a decoder without F0."""
        if not self.config.wavenet.condition_on_f0:
            return np.empty(0, np.float32)
        return shift_f0(f0_contour(wave), float(self.speaker_f0[self.speaker_index(speaker)]))

    def _checked(self, codes: np.ndarray) -> Tensor:
        if len(codes) and not 0 <= codes.min() <= codes.max() < self.config.quantizer.num_codes:
            raise UserError(
                f"codes from {codes.min()} to {codes.max()}: this model has {self.config.quantizer.num_codes}"
            )
        return torch.from_numpy(np.asarray(codes, np.int64))


def match_level(wave: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Scale a waveform to the RMS of another, at most to full scale: (T,) and (T',) to (T,), float32."""
    rms = root_mean_square(reference)
    return normalize_level(wave, rms).astype(np.float32) if rms > 0 else np.zeros_like(wave)


def load_model(name: str | Path, device: str | torch.device = "cpu") -> SpeechVQ:
    """A model as `SpeechVQ.from_pretrained` loads it, on a device.

    Raises:
        UserError: not a model, or a device that this machine does not have.
    """
    place = find_device(str(device))
    return SpeechVQ.from_pretrained(name).to(place)
