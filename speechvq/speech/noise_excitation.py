"""Voice conversion with noise in place of the WaveNet, from the codes or from what precedes them.

The source-filter model makes speech from any excitation. With Laplace noise, which it assumes itself, the
sound shows what the stages before the excitation lose: the spectra of the recording lose nothing but the
resolution of the model, the vectors before quantization also what encoder and source-filter networks lose,
and the codes also what the quantizer loses.
"""

from typing import Literal, TypeAlias

import numpy as np
import torch

from speechvq.audio.f0 import f0_contour, shift_f0
from speechvq.audio.glottal_phase import phase_from_f0
from speechvq.audio.waveform import normalize_level
from speechvq.speech.model import SpeechVQ, match_level
from speechvq.speech.sampling.request import batch_f0, batch_phase
from speechvq.speech.source_filter.synthesis import filter_excitation

Input: TypeAlias = Literal["spectra", "vectors", "codes"]


@torch.no_grad()
def convert_with_noise(
    model: SpeechVQ,
    wave: np.ndarray,
    speaker: str,
    *,
    source: Input = "codes",
    seed: int = 0,
    harmonic_boost: float = 0.9,
) -> np.ndarray:
    """Convert a recording with Laplace noise as the excitation.

    F0 is that of the recording, shifted to the speaker, as in `SpeechVQ.convert`.

    Args:
        model: has a source-filter model.
        wave: (T,), float32, 16 kHz; a sentence, since the whole is converted at once.
        speaker: the target's name.
        source: what the filter is made from: the log-mel spectra of the recording, the spectra predicted from
            the vectors before quantization, or those predicted from the codes. The voiced and the noise part
            are predicted from the codes unless they are from the vectors.
        seed: of the noise.
        harmonic_boost: see `SourceFilter.forward`.

    Returns:
        (T,), float32, 16 kHz, at the level of the recording.

    Raises:
        UserError: an unknown speaker.
        ValueError: the model has no source-filter model.
    """
    decoder, hop = model.decoder, model.config.hop
    if decoder.source_filter is None:
        raise ValueError("the model has no source-filter model, which filters the noise; use convert")
    device, index = model.quantizer.codebook.device, model.speaker_index(speaker)
    if not len(wave):
        return np.empty(0, np.float32)
    if source == "vectors":
        vectors = torch.from_numpy(model.features(wave)).to(device)[None]
    else:
        vectors = model.quantizer.lookup(torch.from_numpy(model.encode(wave)).to(device))[None]
    frames, f0, phase = vectors.shape[1], None, None
    if model.config.wavenet.condition_on_f0:
        contour = shift_f0(f0_contour(wave), float(model.speaker_f0[index]))
        f0 = batch_f0([contour], [frames], hop).to(device)
        phase = batch_phase([phase_from_f0(contour, frames * hop)], [frames * hop]).to(device)
    log_mel = None
    if source == "spectra":
        padded = np.pad(normalize_level(wave), (0, frames * hop - len(wave))).astype(np.float32)
        log_mel = decoder.source_filter.spectrum(
            model.encoder.scaled_input(torch.from_numpy(padded).to(device)[None])
        )
    speakers = torch.tensor([index], device=device)
    params = decoder.predict_params(vectors, speakers, f0, None, harmonic_boost, log_mel)
    noise = np.random.default_rng(seed).laplace(size=(1, frames * hop))
    past = np.zeros((1, decoder.source_filter.order))
    emphasized = filter_excitation(torch.from_numpy(noise).to(device), params, past)
    if phase is not None:
        emphasized = emphasized + decoder.source_filter.harmonic_signal(params.harmonics, phase)
    sound = decoder.mulaw.deemphasize(emphasized, None)[0].cpu().numpy()
    return match_level(sound[: len(wave)], wave)
