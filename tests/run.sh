#!/usr/bin/env bash
# Set up and run every test: bash tests/run.sh [arguments of pytest]
cd "$(dirname "$0")/.."
. recipes/common.sh
setup test
# One thread each for two workers: the tests' tensors are small, and threads of torch would get in each other's way.
export OMP_NUM_THREADS=1
python -m pytest -n 2 "$@"
