"""Pre-training of a speech encoder: it predicts the unit of each code frame, also where its input is masked.

After HuBERT (Hsu et al. 2021, arXiv 2106.07447, section II). The encoder has to predict the unit of a masked
frame from the frames around it. Its vectors then carry more of the phone, and less of the speaker and the
noise, than spectra do. k-means of the vectors initializes the codebook afterwards.

Our choices: the encoder is the package's, a few convolutions. The loss counts masked and other frames alike.
The units are clusters of the discriminants of 200 ms of cepstra (linear discriminant analysis, Haeb-Umbach
and Ney 1992). The classes of the first analysis are clusters of a shorter window. Those of each later one are
clusters of the discriminants of the one before.

Shapes, beside those of the API reference: L spectra, C cepstra, P discriminants, W spectra of a window, U
units.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.config import MaskedPredictionConfig, SpeechRun
from speechvq.data.crops import CropDataset, Crops
from speechvq.errors import UserError
from speechvq.metrics.units.kmeans import KMeansQuantizer
from speechvq.quantizer import nearest_code
from speechvq.runtime.progress import progress
from speechvq.speech.encoder.encoder import Encoder
from speechvq.speech.encoder.mel_frontend import cosines_over_bands
from speechvq.training.stage import ParameterGroup, PretrainingLosses, Schedule, Stage, initialization_stage

CEPSTRA = 16
WINDOW_S = 0.2  # of the discriminant analysis
POOLED = 2  # neighboring spectra that are averaged before the analysis
DISCRIMINANTS = 30
ANALYSES = 3  # each with the clusters of the one before as classes
FIT_FRAMES = 100_000  # code frames that the units are fitted on
FIT_BATCH = 16  # crops read at once; bounds memory
LEARNING_RATE, WARMUP, DECAY_FRACTION = 2e-3, 100, 0.7
BETAS = (0.9, 0.98)
GRAD_CLIP = 1.0


class Units(nn.Module):
    """The targets: clusters of discriminants of normalized cepstra.

    Buffers:
        weight: (P, C, W), a convolution over cepstra that gives the discriminants of a window.
        bias: (P,).
        centroids: (U, P).
    """

    weight: Tensor
    bias: Tensor
    centroids: Tensor

    def __init__(self, num_units: int, hop: int, stride: int) -> None:
        """
        Args:
            num_units: U.
            hop: samples between spectra.
            stride: spectra per code frame.
        """
        super().__init__()
        self.stride = stride
        self.window = POOLED * max(round(WINDOW_S * SAMPLE_RATE / hop / POOLED), -(-stride // POOLED))
        self.register_buffer("weight", torch.zeros(DISCRIMINANTS, CEPSTRA, self.window))
        self.register_buffer("bias", torch.zeros(DISCRIMINANTS))
        self.register_buffer("centroids", torch.zeros(num_units, DISCRIMINANTS))

    def forward(self, logs: Tensor) -> Tensor:
        """Units of code frames: log-mel spectra (B, L, M) of whole crops to (B, N), N = L / stride."""
        discriminants = F.conv1d(self._padded(logs), self.weight, self.bias, self.stride)
        return nearest_code(discriminants.transpose(1, 2), self.centroids)

    @torch.no_grad()
    def fit(self, batches: Sequence[Tensor], seed: int) -> None:
        """Fit discriminants and clusters; equal arguments give equal units.

        Args:
            batches: log-mel spectra (B, L, M) of training crops.
            seed: of k-means.
        """
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        windows = np.concatenate([self._pooled_windows(logs) for logs in batches])
        middle, half = windows.shape[1] // 2, -(-self.stride // (2 * POOLED))
        rows = windows[:, middle - half : middle + max(half, 1)].reshape(len(windows), -1)
        spliced = windows.reshape(len(windows), -1)
        num_units = len(self.centroids)
        for _ in range(ANALYSES):
            classes = KMeansQuantizer.fit(_same, rows, num_units, seed)
            analysis = LinearDiscriminantAnalysis(n_components=min(DISCRIMINANTS, num_units - 1))
            rows = analysis.fit(spliced, classes.nearest(rows)).transform(spliced).astype(np.float32)
        clusters = KMeansQuantizer.fit(_same, rows, num_units, seed)
        matrix = torch.from_numpy(analysis.scalings_[:, : rows.shape[1]]).float()  # (W / POOLED x C, P)
        self.bias[: rows.shape[1]] = -torch.from_numpy(analysis.xbar_).float() @ matrix
        weight = matrix.T.reshape(rows.shape[1], -1, CEPSTRA).transpose(1, 2) / POOLED
        self.weight[: rows.shape[1]] = weight.repeat_interleave(POOLED, 2)
        self.centroids[:, : rows.shape[1]] = torch.from_numpy(clusters.centroids)

    def _padded(self, logs: Tensor) -> Tensor:
        """Cepstra of unit variance, with context on both sides: (B, L, M) to (B, C, L + W - stride)."""
        orders = torch.arange(CEPSTRA, device=logs.device)
        cepstra = logs @ cosines_over_bands(orders, logs.shape[-1]).T
        cepstra = (cepstra - cepstra.mean(1, keepdim=True)) / (cepstra.std(1, keepdim=True) + 1e-3)
        more = self.window - self.stride
        return F.pad(cepstra.transpose(1, 2), (more // 2, more - more // 2), "replicate")

    def _pooled_windows(self, logs: Tensor) -> np.ndarray:
        """Windows (B x N, W / POOLED, C) of all code frames, each row the mean of `POOLED` spectra."""
        windows = self._padded(logs).unfold(2, self.window, self.stride)  # (B, C, N, W)
        pooled = windows.unflatten(-1, (-1, POOLED)).mean(-1)
        return pooled.permute(0, 2, 3, 1).flatten(0, 1).cpu().numpy()


def _same(frames: np.ndarray) -> np.ndarray:
    return frames


class MaskedPrediction(nn.Module):
    """The parts that the pre-training needs beside the encoder: the units, and the layer that predicts them.

    It is not part of the exported model.
    """

    def __init__(self, config: MaskedPredictionConfig, encoder: Encoder, dim: int) -> None:
        """
        Args:
            config: the settings.
            encoder: has a mel front end; it is not a part of this module.
            dim: D, width of the encoder's vectors.
        """
        super().__init__()
        assert encoder.frontend is not None
        hop = encoder.frontend.spectrum.hop
        self.config = config
        self.units = Units(config.num_units, hop, math.prod(layer.stride[0] for layer in encoder.layers))
        self.head = nn.Linear(dim, config.num_units)

    def losses(self, encoder: Encoder, wave: Tensor) -> PretrainingLosses:
        """Cross-entropy of the units of crops (B, T), nats."""
        assert encoder.frontend is not None
        with torch.no_grad():
            logs = encoder.frontend.spectrum(encoder.scaled_input(wave))
            units = self.units(logs)
            mask = span_mask(units.shape, self.config.mask_fraction, self.config.mask_frames)
        mask = mask.to(wave.device).repeat_interleave(self.units.stride, 1)
        vectors = encoder(wave, mask=mask)
        loss = F.cross_entropy(self.head(vectors).flatten(0, 1), units.flatten())
        return PretrainingLosses(loss, loss.detach())


def span_mask(shape: tuple[int, ...], fraction: float, span: int) -> Tensor:
    """A mask of random spans of code frames, (B, N), True where masked.

    A span begins at each frame with the probability `fraction / span`. Spans overlap, so a little less than
    the fraction is masked.
    """
    rows, frames = shape
    begins = (torch.rand(rows, frames + span - 1) < fraction / span).float()
    return F.max_pool1d(begins[:, None], span, 1)[:, 0] > 0


def masked_prediction_stages(
    prediction: MaskedPrediction,
    encoder: Encoder,
    dataset: CropDataset,
    batches: Callable[[int], Iterator[Crops]],
    config: SpeechRun,
) -> list[Stage]:
    """Fit the units; then train the encoder to predict them.

    Args:
        prediction: units and head.
        encoder: the encoder that learns.
        dataset: the training crops, which the units are fitted on.
        batches: see Stage.
        config: settings of the run.
    """
    settings = config.model.masked_prediction
    groups = [ParameterGroup([*encoder.parameters(), *prediction.head.parameters()])]

    def fit_units() -> None:
        batches = _spectra(encoder, dataset, prediction.units.stride, settings.num_units)
        prediction.units.fit(batches, config.train.seed)

    def losses(wave: Tensor, *_: Tensor) -> PretrainingLosses:
        return prediction.losses(encoder, wave)

    return [
        initialization_stage("units", prediction, fit_units),
        Stage(
            "masked_prediction",
            settings.steps,
            batches,
            losses,
            groups,
            Schedule(
                LEARNING_RATE, settings.steps, min(WARMUP, settings.steps), decay_fraction=DECAY_FRACTION
            ),
            betas=BETAS,
            grad_clip=GRAD_CLIP,
        ),
    ]


@torch.no_grad()
def _spectra(encoder: Encoder, dataset: CropDataset, stride: int, num_units: int) -> list[Tensor]:
    """Log-mel spectra of the first crops of training, the same on every process.

    Raises:
        UserError: fewer code frames than units.
    """
    assert encoder.frontend is not None
    device, batches, frames = encoder.project.weight.device, list[Tensor](), 0
    firsts = range(0, len(dataset), FIT_BATCH)
    for first in progress(firsts, total=len(firsts), label="units", unit="batches"):
        waves = torch.stack([dataset[i][0] for i in range(first, first + FIT_BATCH)]).to(device)
        batches.append(encoder.frontend.spectrum(encoder.scaled_input(waves)))
        frames += batches[-1].shape[0] * batches[-1].shape[1] // stride
        if frames >= max(FIT_FRAMES, num_units):
            break
    if frames < num_units:
        raise UserError(
            f"model.masked_prediction.num_units = {num_units}: the training crops have only {frames} code "
            "frames; take fewer units"
        )
    return batches
