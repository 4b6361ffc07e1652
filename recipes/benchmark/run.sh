#!/usr/bin/env bash
# Speed of sampling, training, the quantizer and the image models, beside the usual code and the machine's limits.
#
#   bash recipes/benchmark/run.sh [--stage N] [--stop-stage N] [--json exp/benchmark/benchmark.json] [--exp exp/benchmark]
#                                 [--model MODEL] [--schedule full|brief]
#
# It takes about a quarter of an hour. Times are processor seconds on one core, medians of five rounds; the
# works that are compared run in turn, in one process. Only the time against the amount of audio and the figures of engines
# are wall-clock times, on all cores. --model is a trained model on which bf16 weights are compared with fp32. Without it,
# and if the mini recipe has not run, the weights are random, and the table says so. --schedule brief makes one short round
# of each measurement, to try the scripts; its numbers mean nothing.
cd "$(dirname "$0")/../.."
. recipes/common.sh
exp=exp/benchmark json="" model="" schedule=full
parse_flags "json=json exp=exp model=model schedule=schedule" "$@"
case $schedule in
full) brief=() ;;
brief) brief=(--brief) ;;
*)
    echo "--schedule $schedule: give full or brief" >&2
    exit 2
    ;;
esac
json=${json:-$exp/benchmark.json}
parts="$exp/parts"
# The mini recipe's model if it has been trained.
[ -z "$model" ] && [ -e exp/mini/model ] && model=exp/mini
export OMP_NUM_THREADS=1

setup benchmark

if stage 1 "sampling: decoder S"; then
    python recipes/benchmark/sampling.py "${brief[@]}" --size S ${model:+--model "$model"} --json "$parts/sampling_S.json"
fi

if stage 2 "sampling: decoder M"; then
    python recipes/benchmark/sampling.py "${brief[@]}" --size M --json "$parts/sampling_M.json"
fi

if stage 3 "the training step of the quantizer"; then
    python recipes/benchmark/quantizer.py "${brief[@]}" --codes 512 --dim 64 --vectors 8192 --json "$parts/quantizer_512.json"
    python recipes/benchmark/quantizer.py "${brief[@]}" --codes 512 --dim 64 --vectors 8192 --kept-memory \
        --json "$parts/quantizer_512_kept_memory.json"
    python recipes/benchmark/quantizer.py "${brief[@]}" --codes 8192 --dim 256 --vectors 1024 --json "$parts/quantizer_8192.json"
fi

if stage 4 "the training step"; then
    python recipes/benchmark/training.py "${brief[@]}" --json "$parts/training.json"
fi

if stage 5 "frames of a video"; then
    python recipes/benchmark/video.py "${brief[@]}" --json "$parts/video.json"
fi

if stage 6 "images: the training step, and sampling codes"; then
    python recipes/benchmark/images.py "${brief[@]}" --json "$parts/images.json"
fi

if stage 7 "time against the amount of audio"; then
    python recipes/benchmark/scaling.py "${brief[@]}" --json "$parts/scaling.json" --figure "$exp/scaling.png"
fi

if stage 8 "live conversion"; then
    python recipes/benchmark/live.py "${brief[@]}" --json "$parts/live.json"
fi

if stage 9 "other programs, commands and start-up"; then
    python recipes/benchmark/peers.py "${brief[@]}" --json "$parts/peers.json"
    python recipes/benchmark/abx.py "${brief[@]}" --json "$parts/abx.json"
fi

if stage 10 "growth of time and memory"; then
    python recipes/benchmark/growth.py "${brief[@]}" --json "$parts/growth.json" --figure "$exp/growth.png"
fi

if stage 11 "ONNX graphs and engines (extras onnx and ray)"; then
    python recipes/benchmark/graphs.py "${brief[@]}" --json "$parts/graphs.json"
    python recipes/benchmark/engines.py "${brief[@]}" --json "$parts/engines.json"
fi

if stage 12 "the table"; then
    python recipes/benchmark/table.py "$parts"/*.json --json "$json" --figure "$exp/ratios.png"
fi
