#!/usr/bin/env bash
# The fault matrix: bash tests/faults/run.sh [--family NAME ...] [--short] [--seed N] [--jobs N] [--out docs/reliability.md|FILE.json]
# The full form takes up to half an hour on two cores. Exit code 1 if a case does not hold.
cd "$(dirname "$0")/../.."
. recipes/common.sh
help_if_asked "$@"
setup test
# One thread each: the models are small, and families run side by side.
export OMP_NUM_THREADS=1 PYTHONPATH="$PWD:$PWD/tests${PYTHONPATH:+:$PYTHONPATH}" CUDA_VISIBLE_DEVICES=""
exec python -m faults "$@"
