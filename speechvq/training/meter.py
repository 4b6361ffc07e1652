"""Means of the losses between two lines of the metrics log, and warnings about failing training."""

import math
import time

import torch
from torch import Tensor

from speechvq.errors import UserError
from speechvq.quantizer import perplexity
from speechvq.runtime.logging import logger
from speechvq.training.stage import Losses, Stage

MAX_NONFINITE_STEPS = 3  # consecutive updates with NaN or Inf that stop the run
COLLAPSED_FRACTION = 0.02  # of the codebook: a lower perplexity is a collapse
POSTERIOR_COLLAPSE_BITS = 0.02  # a decoder that loses less than this with shuffled codes ignores the codes


class Meter:
    """Sums of the losses since the last line of the metrics log.

    The sums live in the training state, so a resumed run logs the same means as an unbroken one.
    """

    def __init__(self, stage: Stage, interval_sums: dict[str, Tensor]) -> None:
        """
        Args:
            stage: the stage that is measured.
            interval_sums: the sums by name, changed in place.
        """
        self.stage, self.interval_sums = stage, interval_sums
        self.nonfinite_steps, self.gradient_norm = 0, 0.0
        self._started, self._steps = time.monotonic(), 0

    def add(self, losses: Losses, gradient_norm: float) -> None:
        """Add the losses of one step.

        Raises:
            UserError: the last updates were all lost to NaN or Inf.
        """
        self.nonfinite_steps = 0 if math.isfinite(gradient_norm) else self.nonfinite_steps + 1
        if self.nonfinite_steps >= MAX_NONFINITE_STEPS:
            raise UserError(
                f"NaN or Inf in {MAX_NONFINITE_STEPS} consecutive updates (none was applied); lower "
                "train.learning_rate, look for damaged audio, or resume from the last checkpoint"
            )
        values = {"steps": torch.ones(())} | {k: v for k, v in losses._asdict().items() if k != "total"}
        if self.interval_sums and _shapes(self.interval_sums) != _shapes(values):
            logger.warning("warning: the checkpoint holds sums of other losses; the log leaves them out")
            self.interval_sums.clear()
        for name, value in values.items():
            sums = self.interval_sums.get(name, torch.zeros(()))
            self.interval_sums[name] = value.double() + sums.to(value.device)
        self.gradient_norm, self._steps = gradient_norm, self._steps + 1

    def take_means(self, step: int) -> dict[str, float]:
        """The means since the last call, by name, and clear the sums; empty if no step was added.

        Args:
            step: updates done, for the learning rate of the last one.
        """
        if not self.interval_sums:
            return {}
        usage, steps = self.interval_sums.pop("usage", None), float(self.interval_sums.pop("steps"))
        values = {name: float(total) / steps for name, total in self.interval_sums.items()}
        values |= {
            "gradient_norm": self.gradient_norm,
            "learning_rate": self.stage.learning_rate(step - 1),
        }
        if usage is not None:
            values |= {"perplexity": float(perplexity(usage)), "active_codes": float((usage > 0).sum())}
            self._warn_of_codebook_collapse(step, values["perplexity"], len(usage))
        values["steps_per_second"] = self._steps / (time.monotonic() - self._started)
        self.interval_sums.clear()
        self._started, self._steps = time.monotonic(), 0
        return values

    def _warn_of_codebook_collapse(self, step: int, used: float, num_codes: int) -> None:
        if step > self.stage.warmup and used < COLLAPSED_FRACTION * num_codes:
            logger.warning(
                "warning: the codebook has collapsed (perplexity %.1f of %d codes): raise "
                "model.quantizer.dead_code_threshold or set model.quantizer.codebook=ema",
                used,
                num_codes,
            )


def _shapes(tensors: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def warn_of_posterior_collapse(heldout: dict[str, float]) -> None:
    """Warn if the decoder ignores the codes, by the measures of an evaluation after warm-up."""
    gap = heldout.get("codes_gap_bits", math.inf)
    if gap < POSTERIOR_COLLAPSE_BITS:
        logger.warning(
            "WARNING: THE DECODER IGNORES THE CODES: the codes of another utterance raise the loss by only "
            "%.3f bits. Converted speech will not keep the words. Lower train.learning_rate or data.batch "
            "(more, smaller steps), raise model.quantizer.dead_code_threshold, or set "
            "model.quantizer.codebook=ema",
            gap,
        )
