"""Training of a speech model's vocoder: by the spectral distance, then also against discriminators."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from speechvq.config import SpeechRun
from speechvq.config.training import MAIN_STAGE
from speechvq.data.crops import Crops
from speechvq.quantizer import perplexity
from speechvq.speech.model import SpeechVQ
from speechvq.speech.vocoder.discriminators import Discriminators
from speechvq.speech.vocoder.losses import (
    MelLoss,
    adversarial_loss,
    discriminator_loss,
    feature_matching_loss,
)
from speechvq.training.stage import ParameterGroup, Schedule, Stage
from speechvq.training.tasks.speech_heldout import offset_to_another_speaker

BETAS = (0.8, 0.95)  # of Adam: a short memory, since each network is the other's moving target
EVAL_BATCH = 4  # crops measured at once; bounds memory


class SpectralLosses(NamedTuple):
    """Losses of the pre-training."""

    total: Tensor  # (), minimized
    mel: Tensor  # (), distance of the log-mel spectra
    discriminator: Tensor  # (), mean over the discriminators


class AdversarialLosses(NamedTuple):
    """Losses of the adversarial training; means over the discriminators but for the total."""

    total: Tensor  # (), minimized by vocoder and discriminators
    mel: Tensor  # (), distance of the log-mel spectra
    adversarial: Tensor  # ()
    feature_matching: Tensor  # ()
    discriminator: Tensor  # ()


class AdversarialVocoder(nn.Module):
    """A speech model whose vocoder learns, and its discriminators, as one module for the training loop."""

    def __init__(self, model: SpeechVQ) -> None:
        super().__init__()
        self.model = model
        self.discriminators = Discriminators(model.config.vocoder.discriminator_channels)
        self.mel_loss = MelLoss()
        self.mel_weight = model.config.vocoder.mel_weight

    def spectral(self, *crops: Tensor) -> SpectralLosses:
        """Losses of a batch of crops without an adversary; the discriminators already learn."""
        synthesized, recorded = self._segments(*crops)
        mel = self.mel_loss(synthesized, recorded)
        judged = self.discriminators(recorded), self.discriminators(synthesized.detach())
        discriminator = discriminator_loss(*judged)
        total = self.mel_weight * mel + discriminator
        return SpectralLosses(total, mel.detach(), discriminator.detach() / len(judged[0]))

    def adversarial(self, *crops: Tensor) -> AdversarialLosses:
        """Losses of a batch of crops.

        One backward pass serves both sides. The discriminators get no gradient from the vocoder's losses, and
        the vocoder none from theirs.
        """
        synthesized, recorded = self._segments(*crops)
        mel = self.mel_loss(synthesized, recorded)
        self.discriminators.requires_grad_(False)
        judged = self.discriminators(synthesized)
        self.discriminators.requires_grad_(True)
        real = self.discriminators(recorded)
        discriminator = discriminator_loss(real, self.discriminators(synthesized.detach()))
        adversarial, matching = adversarial_loss(judged), feature_matching_loss(real, judged)
        total = self.mel_weight * mel + adversarial + matching + discriminator
        parts = (each.detach() / len(real) for each in (adversarial, matching, discriminator))
        return AdversarialLosses(total, mel.detach(), *parts)

    def _segments(self, wave: Tensor, speaker: Tensor, f0: Tensor, phase: Tensor) -> tuple[Tensor, Tensor]:
        """Synthesized and recorded segments (B, n) of crops, pre-emphasized."""
        model = self.model
        with torch.no_grad():
            vectors = model.quantizer(model.encoder(wave)).vectors
        return model.decoder.resynthesize_segment(wave, vectors, speaker, f0, phase)

    @torch.no_grad()
    def measure_heldout(self, crops: Crops) -> dict[str, float]:
        """Held-out distance, also with the codes of another utterance and with another speaker.

        Args:
            crops: one crop of each of several utterances.

        Returns:
            `heldout_mel`: distance of the log-mel spectra, see `MelLoss`.
            `codes_gap_mel`, `speaker_gap_mel`: its increase with the codes of another utterance, and with
                another speaker.
            `heldout_perplexity`, `heldout_active_codes`: code usage over all crops.
        """
        model = self.model
        wave, speaker, f0, phase = (each.to(model.quantizer.codebook.device) for each in crops)
        codes = torch.cat([model.encode_crops(part) for part in wave.split(EVAL_BATCH)])
        others = (speaker + offset_to_another_speaker(len(model.speakers))) % len(model.speakers)
        right = self._mean_distance(wave, codes, speaker, f0, phase)
        wrong_codes = self._mean_distance(wave, codes.roll(len(codes) // 2, dims=0), speaker, f0, phase)
        wrong_speaker = self._mean_distance(wave, codes, others, f0, phase)
        usage = torch.bincount(codes.flatten(), minlength=model.config.quantizer.num_codes)
        return {
            "heldout_mel": right,
            "codes_gap_mel": wrong_codes - right,
            "speaker_gap_mel": wrong_speaker - right,
            "heldout_perplexity": float(perplexity(usage)),
            "heldout_active_codes": float((usage > 0).sum()),
        }

    def _mean_distance(self, *tensors: Tensor) -> float:
        """Distance per crop; takes wave, codes, speaker, F0 and phase, all (B, ...)."""
        total, state = 0.0, torch.random.get_rng_state()
        torch.manual_seed(0)  # the same noise in every evaluation
        for wave, codes, *others in zip(*(tensor.split(EVAL_BATCH) for tensor in tensors)):
            vectors = self.model.quantizer.lookup(codes)
            pair = self.model.decoder.resynthesize_segment(wave, vectors, *others)
            total += float(self.mel_loss(*pair)) * len(wave)
        torch.random.set_rng_state(state)
        return total / len(tensors[0])


def vocoder_stages(
    training: AdversarialVocoder,
    batches: Callable[[int], Iterator[Crops]],
    heldout: Crops,
    config: SpeechRun,
) -> list[Stage]:
    """The two stages of the vocoder's training; everything else of the model is frozen.

    Args:
        training: the model and the discriminators.
        batches: see Stage.
        heldout: crops for the evaluation.
        config: settings of the run.
    """
    vocoder = training.model.decoder.vocoder
    assert vocoder is not None
    groups = [ParameterGroup([*vocoder.parameters(), *training.discriminators.parameters()])]
    train, steps = config.train, config.model.vocoder.pretrain_steps
    warmup = min(train.warmup, steps)
    pretraining = Stage(
        "vocoder",
        steps,
        batches,
        training.spectral,
        groups,
        Schedule(train.learning_rate, steps, warmup, decay_fraction=0.0),
        eval_modules=[training.model],
        betas=BETAS,
        grad_clip=train.grad_clip,
    )
    adversarial = Stage(
        MAIN_STAGE,
        train.steps,
        batches,
        training.adversarial,
        groups,
        Schedule(train.learning_rate, train.steps, train.warmup, train.lr_decay_fraction),
        evaluate=lambda _: training.measure_heldout(heldout),
        eval_modules=[training.model],
        warmup=train.warmup,
        ema_decay=train.ema_decay,
        betas=BETAS,
        grad_clip=train.grad_clip,
    )
    return [pretraining, adversarial]
