"""The properties of the likelihoods and bounds, by the unit tests that prove them."""

from collections.abc import Iterator

from faults.case import Case, Setting
from faults.truths import cases_of

TRIED = (
    "Tests of: a uniform model needs exactly 8 bits per dimension; the bound of one sample is the ELBO; "
    "probabilities over all images of two sub-pixels, all code grids and all n-grams sum to 1; bounds "
    "are the sums of their terms."
)
NODES = (
    "tests/unit/images/test_likelihood.py",
    "tests/unit/images/test_vimco.py",
    "tests/unit/images/test_images_models.py::test_bounds_are_the_sum_of_their_terms",
    "tests/unit/images/test_images_models.py::test_a_uniform_vae_needs_eight_bits_exactly",
    "tests/unit/images/test_images_models.py::test_a_uniform_vqvae_needs_eight_bits_and_its_codes",
    "tests/unit/images/test_images_models.py::test_a_prior_replaces_the_uniform_prior",
    "tests/unit/priors/test_pixelcnn.py::test_the_probabilities_of_all_grids_sum_to_one",
    "tests/unit/priors/test_pixelcnn.py::test_nll_equals_the_log_softmax_of_the_logits",
    "tests/unit/priors/test_ngram.py::test_probabilities_equal_the_recursion_and_sum_to_one",
)


def cases(setting: Setting) -> Iterator[Case]:
    """One case for each test."""
    return cases_of(NODES, setting)
