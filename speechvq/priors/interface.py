"""What all priors share: the losses and the sampling interface."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from torch import Tensor

Condition = TypeVar("Condition", contravariant=True)


class PriorLosses(NamedTuple):
    """The losses of a batch."""

    total: Tensor  # (), minimized
    nats: Tensor  # (), negative log-likelihood, nats per code


class SamplingPrior(Protocol[Condition]):
    """A model of codes given a condition, for example speakers, class labels or past frames.

    Each code is drawn by inverting its cumulative distribution at one uniform number. Equal uniforms
    therefore give equal codes, and an item does not depend on the rest of its batch.
    """

    def sample(
        self,
        uniforms: Tensor,
        condition: Condition,
        *,
        temperature: float = 1.0,
        top_p: float = 1.0,
        on_step: Callable[[int], None] | None = None,
    ) -> Tensor:
        """Sample codes.

        Args:
            uniforms: (B, ...) in [0, 1), one for each code.
            condition: what the model is conditioned on, for each of the B items.
            temperature: divides the logits; 0 takes the most likely code.
            top_p: nucleus sampling, see `categorical.sample_categorical`.
            on_step: called with the number of finished steps (codes of a sequence, rows of a grid).

        Returns:
            (B, ...), int64, of the shape of `uniforms`.
        """
