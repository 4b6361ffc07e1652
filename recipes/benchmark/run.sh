#!/usr/bin/env bash
# How fast everything is, against the usual code and against what the machine can do: sampling, training, quantiser,
# pictures.
#
#   bash recipes/benchmark/run.sh [--stage N] [--stop-stage N] [--json exp/benchmark/benchmark.json] [--exp exp/benchmark]
#                                 [--model exp/mini]
#
# Under ten minutes on a quiet machine. Seconds are of the processor, on one core, in turn with what they are compared
# with, medians of five or more, a process each; only the last figure, time against the amount of sound, is by the clock
# and on all cores. --model is a trained model to hold bf16 weights against fp32 on; without it and without a mini recipe
# that ran, the weights are random, and the table says so.
cd "$(dirname "$0")/../.."
. recipes/common.sh
exp=exp/benchmark json="" model=exp/mini
parse_flags "json=json exp=exp model=model" "$@"
json=${json:-$exp/benchmark.json}
parts="$exp/parts"
trained=()
[ -e "$model" ] && trained=(--model "$model")
export OMP_NUM_THREADS=1

setup benchmark

if stage 1 "sampling: decoder S"; then
    python recipes/benchmark/sampling.py --size S "${trained[@]}" --json "$parts/sampling_S.json"
fi

if stage 2 "sampling: decoder M"; then
    python recipes/benchmark/sampling.py --size M --json "$parts/sampling_M.json"
fi

if stage 3 "the quantiser's training step"; then
    python recipes/benchmark/quantizer.py --codes 512 --dim 64 --vectors 8192 --json "$parts/quantizer_512.json"
    python recipes/benchmark/quantizer.py --codes 512 --dim 64 --vectors 8192 --kept-memory \
        --json "$parts/quantizer_512_kept_memory.json"
    python recipes/benchmark/quantizer.py --codes 8192 --dim 256 --vectors 1024 --json "$parts/quantizer_8192.json"
fi

if stage 4 "the training step"; then
    python recipes/benchmark/training.py --json "$parts/training.json"
fi

if stage 5 "frames of a video"; then
    python recipes/benchmark/video.py --json "$parts/video.json"
fi

if stage 6 "pictures: the training step, and drawing codes"; then
    python recipes/benchmark/pictures.py --json "$parts/pictures.json"
fi

if stage 7 "time against the amount of sound"; then
    python recipes/benchmark/scaling.py --json "$parts/scaling.json" --figure "$exp/scaling.png"
fi

if stage 8 "the table"; then
    python recipes/benchmark/table.py "$parts"/*.json --json "$json"
fi
