#!/usr/bin/env bash
# Install the package with everything that the tests need, and run them.
#
#   bash tests/run.sh [arguments of pytest]
#
# For example tests/unit/test_quantizer.py, or -k NAME.
cd "$(dirname "$0")/.."
. recipes/common.sh
help_if_asked "$@"
setup test
# One thread each for two workers: the tests' tensors are small, and threads of torch would get in each other's way.
export OMP_NUM_THREADS=1
python -m pytest -n 2 "$@"
