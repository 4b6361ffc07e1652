"""Voice conversion of a stream of samples."""

from collections import deque
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from speechvq.audio.f0 import F0_HOP
from speechvq.audio.f0_conditioning import REFERENCE_F0
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.config import SpeechConfig
from speechvq.errors import UserError
from speechvq.quantizer import VectorQuantizer
from speechvq.speech.decoder.decoder import Decoder
from speechvq.speech.encoder.encoder import Encoder
from speechvq.speech.sampling.all_pole import all_pole
from speechvq.speech.streaming.encoder import EncoderStream, NearestCode, SpectrumStream
from speechvq.speech.streaming.f0 import F0Stream
from speechvq.speech.streaming.layers import as_array
from speechvq.speech.streaming.source import ParamsStream, PhaseStream, SourceStream
from speechvq.speech.streaming.statistics import RunningF0, RunningGain
from speechvq.speech.streaming.vocoder import VocoderStream
from speechvq.speech.vocoder.vocoder import FFT

F0_LAG = 1  # frames; as many as the look-ahead of an encoder of two frames has room for
AT_ONCE = SAMPLE_RATE  # samples converted at once; bounds the memory
SPEAKER_FADE = 10  # frames over which another speaker's embedding is reached


class StreamableModel(Protocol):
    """What a stream uses of a `SpeechVQ`."""

    config: SpeechConfig
    encoder: Encoder
    quantizer: VectorQuantizer
    decoder: Decoder
    speaker_f0: Tensor

    def speaker_index(self, name: str) -> int:
        """Index of a speaker."""


class ConversionStream:
    """Converts speech while it is spoken: samples in, and the samples that are ready out.

    Every output sample is that of the input `latency_ms` before. The outputs do not depend on how the input
    is cut into blocks. The state has a fixed size.

    What `SpeechVQ.convert` measures on the whole recording is estimated from the speech so far: level, mean
    spectrum and mean F0. So the first seconds differ from an offline conversion.

    Attributes:
        bad_samples: how many NaN or infinite samples were replaced by silence.
    """

    @torch.no_grad()
    def __init__(
        self, model: StreamableModel, speaker: str, *, seed: int = 0, harmonic_boost: float = 0.9
    ) -> None:
        """
        Args:
            model: in evaluation mode, with a vocoder and a limited look-ahead.
            speaker: the target.
            seed: of the noise.
            harmonic_boost: see `SourceFilter.forward`.

        Raises:
            UserError: an unknown speaker, or a model that cannot convert a stream.
        """
        check_can_stream(model)
        self._model = model
        decoder = model.decoder
        assert decoder.source_filter is not None and decoder.vocoder is not None
        self._source_filter = decoder.source_filter
        self._embedding = self._wanted = self._embedding_of(speaker)
        self._target_f0, self._fade = self._f0_of(speaker), 0
        self._gain, self._mean_f0 = RunningGain(), RunningF0()
        self._spectrum = SpectrumStream(model.encoder)
        self._encoder = EncoderStream(model.encoder, self._mean_spectrum())
        self._f0, self._phase = F0Stream(F0_LAG), PhaseStream()
        self._params = ParamsStream(decoder.source_filter)
        self._source = SourceStream(decoder.source_filter, seed, harmonic_boost)
        self._nearest = NearestCode(model.quantizer.codebook)
        self._vocoder = VocoderStream(decoder.vocoder)
        self._input = np.empty(0, np.float32)  # samples of an incomplete frame
        self._gains = np.empty(0)  # of the samples that have no output yet
        self._vectors: deque[np.ndarray] = deque()  # of frames whose F0 is not known yet
        self._f0s: deque[float] = deque()
        self._frames: deque[tuple[float, float, np.ndarray, np.ndarray]] = deque()
        self._filled, self._number = REFERENCE_F0, 0
        self._last = np.zeros(1)  # output of the filter that undoes the pre-emphasis
        self._pushed = self._returned = self.bad_samples = 0

    @property
    def latency_ms(self) -> float:
        """Algorithmic latency with blocks of one frame: how much later than its input a sample comes, ms."""
        return self.lookahead_ms + 1000 * F0_HOP / SAMPLE_RATE

    @property
    def lookahead_ms(self) -> float:
        """How much of the later input a sample waits for, ms; with the duration of a block, the latency."""
        vocoder = self._model.decoder.vocoder
        assert vocoder is not None
        # Frames between the newest sample and the newest frame whose code and F0 are known, inclusive.
        code = 1 - (-self._spectrum.future // F0_HOP) + self._encoder.lookahead
        f0 = 1 + self._f0.lookahead_samples // F0_HOP
        layers = self._params.lookahead + sum(layer.padding[1] for layer in vocoder.layers)
        # The signal ends at the center of a frame, which costs the STFT one more frame; and STFT frames
        # overlap before their hop.
        frames = max(code, f0) + layers + 1
        samples = frames * F0_HOP + (FFT - F0_HOP) // 2
        return 1000 * samples / SAMPLE_RATE

    def set_speaker(self, speaker: str) -> None:
        """Convert to another speaker from the next frame on, over a tenth of a second.

        Raises:
            UserError: an unknown speaker.
        """
        self._wanted, self._target_f0 = self._embedding_of(speaker), self._f0_of(speaker)
        self._fade = SPEAKER_FADE

    @torch.no_grad()
    def push(self, samples: np.ndarray) -> np.ndarray:
        """Converted samples that are ready now.

        Args:
            samples: (n,), float in [-1, 1] or int16, mono, 16 kHz; any n.

        Returns:
            (m,), float32.

        Raises:
            ValueError: an unsupported shape or type.
        """
        samples = self._checked(samples)
        parts = [self._push(samples[i : i + AT_ONCE]) for i in range(0, len(samples), AT_ONCE)]
        return np.concatenate([np.empty(0, np.float32), *parts])

    def _push(self, samples: np.ndarray) -> np.ndarray:
        """As `push`, of at most AT_ONCE samples, float32."""
        self._pushed += len(samples)
        self._input = np.concatenate([self._input, samples])
        count = len(self._input) // F0_HOP
        frames, self._input = self._input[: count * F0_HOP], self._input[count * F0_HOP :]
        if not count:
            return np.empty(0, np.float32)
        gains = np.concatenate([self._gain.push(frame) for frame in frames.reshape(-1, F0_HOP)])
        self._gains = np.concatenate([self._gains, gains])
        scaled = (frames * gains).astype(np.float32)
        self._f0s.extend(self._f0.push(frames).tolist())
        self._vectors.extend(self._nearest(self._encoder.push(self._spectrum.push(scaled))))
        return self._synthesize()

    def flush(self) -> np.ndarray:
        """The samples that are still missing, as if silence followed; ends the stream."""
        missing = self._pushed - self._returned
        silence = np.zeros(missing + 2 * round(self.latency_ms * SAMPLE_RATE / 1000), np.float32)
        return self.push(silence)[:missing]

    def _synthesize(self) -> np.ndarray:
        """Samples of all frames whose code and F0 are known."""
        inputs = [self._next_input() for _ in range(min(len(self._vectors), len(self._f0s) - 1))]
        if not inputs:
            return np.empty(0, np.float32)
        mel, harmonic = self._params.push(np.stack(inputs))
        if not len(mel):
            return np.empty(0, np.float32)
        f0, filled, phase, voice = zip(*[self._frames.popleft() for _ in mel])
        signal = self._source.push(mel, harmonic, np.array(f0), np.array(filled), np.stack(phase))
        features = np.stack(voice)  # F0 features and speaker embedding
        return self._finished(self._vocoder.push(signal, np.concatenate([mel, features], axis=1)))

    def _next_input(self) -> np.ndarray:
        """Input (D + V + 2,) of the networks for the next frame."""
        if self._fade:
            self._embedding = self._embedding + (self._wanted - self._embedding) / self._fade
            self._fade -= 1
        f0, following = self._f0s[0], self._f0s[1]
        self._f0s.popleft()
        mean = self._mean_f0.push(f0)
        ratio = self._target_f0 / mean if mean > 0 and self._target_f0 > 0 else 1.0
        phase = self._phase.push(ratio * f0, ratio * following)
        # As in `f0_at_code_rate`, which rounds to the even frame.
        own = ratio * (f0 if self._number % 2 == 0 else following)
        self._number += 1
        self._filled = own if own > 0 else self._filled
        features = np.array([np.log2(self._filled / REFERENCE_F0), own > 0], np.float32)
        self._frames.append((own, self._filled, phase, np.concatenate([features, self._embedding])))
        return np.concatenate([self._vectors.popleft(), self._embedding, features])

    def _finished(self, emphasized: np.ndarray) -> np.ndarray:
        """Samples (m,) at the level of the input, from pre-emphasized ones (m,)."""
        codec = self._model.decoder.mulaw
        wave = emphasized.astype(np.float64) / codec.gain
        all_pole(wave, np.array([[codec.preemphasis]]), self._last, max(len(wave), 1))
        gains, self._gains = self._gains[: len(wave)], self._gains[len(wave) :]
        self._returned += len(wave)
        return (wave / gains).clip(-1, 1).astype(np.float32)

    def _checked(self, samples: np.ndarray) -> np.ndarray:
        """Samples as float32, with silence for those that are not finite."""
        samples = np.asarray(samples)
        if samples.ndim != 1 or (samples.dtype != np.int16 and samples.dtype.kind != "f"):
            raise ValueError(f"samples: {samples.dtype} {samples.shape}; pass mono float or int16, (n,)")
        if samples.dtype == np.int16:
            return samples.astype(np.float32) / 32768
        bad = ~np.isfinite(samples)
        self.bad_samples += int(bad.sum())
        return np.where(bad, 0, np.clip(np.nan_to_num(samples), -10, 10)).astype(np.float32)

    def _embedding_of(self, speaker: str) -> np.ndarray:
        index = torch.tensor([self._model.speaker_index(speaker)])
        return as_array(self._model.decoder.embed_speaker(index))[0]

    def _f0_of(self, speaker: str) -> float:
        return float(self._model.speaker_f0[self._model.speaker_index(speaker)])

    def _mean_spectrum(self) -> np.ndarray:
        """Mean over the codes of the predicted spectra, (M,), in the bands of the encoder."""
        codebook = self._model.quantizer.codebook[None]
        f0 = torch.full(codebook.shape[:2], self._target_f0 or REFERENCE_F0)
        embedding = torch.from_numpy(self._embedding)[None]
        spectrum = self._source_filter.predict_log_mel(codebook, embedding, f0).mean(1, keepdim=True)
        bands = self._model.config.encoder.mel_bands
        return as_array(F.interpolate(spectrum, size=bands, mode="linear", align_corners=True)[0, 0])


def check_can_stream(model: StreamableModel) -> None:
    """Refuse a model that needs the whole recording.

    Raises:
        UserError: names what it lacks.
    """
    config, lacking = model.config, []
    if not config.vocoder.channels:
        lacking.append("a vocoder in place of its WaveNet (vocoder.channels)")
    if config.encoder.strides != (F0_HOP,) or not config.encoder.mel_bands:
        lacking.append(f"an encoder of spectra every 10 ms (encoder.mel_bands, encoder.strides: [{F0_HOP}])")
    lacking += [
        f"a limited look-ahead ({name}.lookahead_frames from 0, here {part.lookahead_frames})"
        for name, part in (("encoder", config.encoder), ("source_filter", config.source_filter))
        if part.lookahead_frames < 0
    ]
    if lacking:
        raise UserError(f"this model does not run live; it lacks {', and '.join(lacking)}")
