"""Training task of the speech model: codebook, source-filter pre-training, then WaveNet or vocoder."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from speechvq.audio.f0 import mean_f0
from speechvq.config import SpeechRun
from speechvq.data.crops import CropDataset, Crops, crop_loader, middle_crops
from speechvq.data.manifest import Utterance, read_manifest
from speechvq.data.tracks import f0_of
from speechvq.errors import UserError
from speechvq.runtime import distributed
from speechvq.runtime.progress import progress
from speechvq.speech.model import SpeechVQ
from speechvq.speech.model_directory import save_model
from speechvq.speech.speakers.speaker_facts import SpeakerFacts, save_speaker_facts
from speechvq.training.stage import (
    ParameterGroup,
    PretrainingLosses,
    Schedule,
    Stage,
    check_batch_splits,
    initialization_stage,
    main_stage,
)
from speechvq.training.task import TrainingTask
from speechvq.training.tasks.masked_prediction import MaskedPrediction, masked_prediction_stages
from speechvq.training.tasks.speech_heldout import measure_heldout
from speechvq.training.tasks.vocoder import AdversarialVocoder, vocoder_stages

F0_UTTERANCES = 5  # per speaker, from which the mean F0 is measured
SOURCE_FILTER_LR, SOURCE_FILTER_WARMUP = 2e-3, 50  # peak learning rate of the pre-training; steps
KMEANS_VECTORS_PER_CODE = 32
LEARNED_FACTOR = 16  # times as many if the encoder has learned before
KMEANS_CROPS = 16  # encoded at once; bounds memory


def build_task(config: SpeechRun, device: torch.device) -> TrainingTask:
    """The model on its device and the stages of its training.

    Raises:
        UserError: a corpus or settings that cannot be trained on.
    """
    utterances = read_manifest(config.data.manifest)
    check(config)
    torch.manual_seed(config.train.seed)
    training, dev = _in_split(utterances, "train"), _in_split(utterances, "dev")
    speakers = sorted({utterance.speaker for utterance in training})
    facts = facts_of_training(training)
    model = SpeechVQ(config.model, speakers).to(device)
    crop, f0 = config.data.crop, config.model.wavenet.condition_on_f0
    dataset = CropDataset(training, speakers, crop, config.train.seed, f0)
    heldout = middle_crops(dev, speakers, crop, config.train.num_eval_items, f0)
    if f0:
        model.speaker_f0.copy_(torch.tensor(mean_f0_of_speakers(training, speakers)))

    def initialize_codebook() -> None:
        init_codebook(model, CropDataset(training, speakers, crop, config.train.seed))

    def batches_of(size: int) -> Callable[[int], Iterator[Crops]]:
        return lambda step: _load_crops(dataset, size, step, config.data.workers)

    stages, prediction, batches = list[Stage](), None, batches_of(config.data.batch)
    masked = config.model.masked_prediction
    if masked.steps:
        prediction = MaskedPrediction(masked, model.encoder, config.model.quantizer.dim).to(device)
        stages += masked_prediction_stages(
            prediction, model.encoder, dataset, batches_of(masked.batch), config
        )
    stages.append(initialization_stage("codebook", model, initialize_codebook))
    if config.model.source_filter.filter_order and config.model.source_filter.pretrain_steps:
        stages += source_filter_stages(model, dataset, config)

    trained: nn.Module = model
    if model.decoder.vocoder is not None:
        trained = AdversarialVocoder(model).to(device)
        stages += vocoder_stages(trained, batches, heldout, config)
    else:
        stages.append(_wavenet_stage(model, batches, heldout, config))
    whole = trained if prediction is None else nn.ModuleDict({"trained": trained, "prediction": prediction})
    return TrainingTask(whole, tuple(stages), lambda folder, _: _export(facts, folder, model))


def _wavenet_stage(
    model: SpeechVQ, batches: Callable[[int], Iterator[Crops]], heldout: Crops, config: SpeechRun
) -> Stage:
    """The main stage of a model with a WaveNet: the loss of the paper."""
    is_encoder_frozen = config.train.encoder_lr_scale == 0
    return main_stage(
        model,
        batches,
        lambda _: measure_heldout(model, heldout),
        config.train,
        frozen=source_filter_modules(model) + ([model.encoder] if is_encoder_frozen else []),
        eval_modules=[model.encoder, model.quantizer] if is_encoder_frozen else [],
    )


def check(config: SpeechRun) -> None:
    """Refuse settings that contradict one another.

    Raises:
        UserError: names them.
    """
    if config.data.crop % config.model.hop:
        raise UserError(
            f"data.crop = {config.data.crop} is not a multiple of the hop, {config.model.hop} samples"
        )
    check_batch_splits("data.batch", config.data.batch)
    if config.model.masked_prediction.steps:
        check_batch_splits("model.masked_prediction.batch", config.model.masked_prediction.batch)
    if config.model.source_filter.filter_order:
        check_batch_splits("model.source_filter.pretrain_batch", config.model.source_filter.pretrain_batch)


def facts_of_training(utterances: Sequence[Utterance]) -> dict[str, SpeakerFacts]:
    """The minutes of speech of each speaker in the training utterances."""
    seconds = dict.fromkeys(sorted({utterance.speaker for utterance in utterances}), 0.0)
    for utterance in utterances:
        seconds[utterance.speaker] += utterance.seconds
    return {name: SpeakerFacts(minutes=round(each / 60, 2)) for name, each in seconds.items()}


def mean_f0_of_speakers(utterances: Sequence[Utterance], speakers: Sequence[str]) -> list[float]:
    """Mean F0 of each speaker, Hz, from a few utterances; 0 for a speaker without voiced frames."""
    means = []
    for name in progress(speakers, total=len(speakers), label="mean F0", unit="speakers"):
        chosen = [utterance for utterance in utterances if utterance.speaker == name][:F0_UTTERANCES]
        contours = [f0_of(utterance.path) for utterance in chosen]
        means.append(mean_f0(np.concatenate(contours)))
    return means


def init_codebook(model: SpeechVQ, dataset: CropDataset) -> None:
    """Initialize the codebook by k-means of the encoder's outputs for the first crops of training.

    The same on every process. If the encoder has learned before, these are the final codes unless it learns
    on: they are fitted on more vectors, without augmentation.
    """
    quantizer, vectors = model.quantizer, list[Tensor]()
    wanted = KMEANS_VECTORS_PER_CODE * model.config.quantizer.num_codes
    if model.config.masked_prediction.steps:
        wanted *= LEARNED_FACTOR
        model.encoder.eval()
    with torch.no_grad():
        for first in range(0, len(dataset), KMEANS_CROPS):
            waves = torch.stack([dataset[i][0] for i in range(first, first + KMEANS_CROPS)])
            vectors.append(model.encoder(waves.to(quantizer.codebook.device)).flatten(0, 1))
            if sum(map(len, vectors)) >= wanted:
                break
    quantizer.init_codebook_kmeans(torch.cat(vectors))


def source_filter_stages(model: SpeechVQ, dataset: CropDataset, config: SpeechRun) -> list[Stage]:
    """Pre-training of source and filter, and of the encoder with them if the settings say so.

    It comes before the decoder because a step of the decoder takes far longer.
    """
    settings = config.model.source_filter
    steps, waiting = settings.pretrain_steps, settings.pretrain_encoder_from
    if not settings.pretrain_encoder or not waiting:
        return [
            _source_filter_stage("source_filter", steps, settings.pretrain_encoder, model, dataset, config)
        ]
    return [
        _source_filter_stage("source_filter", waiting, False, model, dataset, config),
        _source_filter_stage("source_filter_and_encoder", steps - waiting, True, model, dataset, config),
    ]


def _source_filter_stage(
    name: str, steps: int, encoder_learns: bool, model: SpeechVQ, dataset: CropDataset, config: SpeechRun
) -> Stage:
    """One stage of the pre-training; its learning rate falls only in the last one."""
    settings = config.model.source_filter

    def losses(wave: Tensor, speaker: Tensor, f0: Tensor, phase: Tensor) -> PretrainingLosses:
        with torch.set_grad_enabled(encoder_learns):
            quantized = model.quantizer(model.encoder(wave))
        loss = model.decoder.source_filter_loss(wave, quantized.vectors, speaker, f0, phase)
        # The spectral loss is a mean over bands, so the commitment becomes a mean over dimensions.
        return PretrainingLosses(loss + quantized.loss / config.model.quantizer.dim, loss.detach())

    encoder: list[nn.Module] = [model.encoder, model.quantizer]
    learned = source_filter_modules(model) + (encoder if encoder_learns else [])
    is_last = encoder_learns == settings.pretrain_encoder
    return Stage(
        name,
        steps,
        lambda step: _load_crops(dataset, settings.pretrain_batch, step, config.data.workers),
        losses,
        [ParameterGroup([parameter for module in learned for parameter in module.parameters()])],
        Schedule(SOURCE_FILTER_LR, steps, SOURCE_FILTER_WARMUP, decay_fraction=0.5 if is_last else 0.0),
        eval_modules=[] if settings.pretrain_encoder else encoder,
        grad_clip=config.train.grad_clip,
    )


def source_filter_modules(model: SpeechVQ) -> list[nn.Module]:
    """The modules that learn before the WaveNet and are frozen in the main stage; none without a filter."""
    decoder = model.decoder
    modules = [decoder.source_filter, decoder.f0_predictor, decoder.speaker_embedding]
    return [] if decoder.source_filter is None else [module for module in modules if module is not None]


def _load_crops(dataset: CropDataset, batch: int, step: int, workers: int) -> Iterator[Crops]:
    """This process's share of the batches from a step on."""
    rank, world_size = distributed.rank(), distributed.world_size()
    return crop_loader(dataset, batch, step=step, rank=rank, world_size=world_size, workers=workers)


def _export(facts: Mapping[str, SpeakerFacts], folder: Path, model: SpeechVQ) -> None:
    save_model(folder, model)
    save_speaker_facts(folder, facts)


def _in_split(utterances: Sequence[Utterance], split: str) -> list[Utterance]:
    return [utterance for utterance in utterances if utterance.split == split]
