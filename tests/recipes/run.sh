#!/usr/bin/env bash
# Run every recipe in a cut form on tiny corpora, one after the other in one tree, as a user would.
#
#   bash tests/recipes/run.sh [--exp exp/ci] [--stage N] [--stop-stage N]
#
# It tries the plumbing; what the models learn in a few steps means nothing.
cd "$(dirname "$0")/../.."
. recipes/common.sh
exp=exp/ci
parse_flags "exp=exp" "$@"

setup mini

if stage 1 "mini"; then
    bash recipes/mini/run.sh --exp "$exp/mini" --data "$exp/data" --steps 40 --sentences 1
fi

if stage 2 "corpora for the others"; then
    python tests/recipes/make_corpora.py "$exp/data/recordings" "$exp/corpora"
fi

if stage 3 "vctk"; then
    bash recipes/vctk/run.sh --corpus "$exp/corpora/folder" --exp "$exp/vctk" --data "$exp/vctk_data" \
        --steps 4 --sentences 1 --voices m02 --unseen m05
fi

if stage 4 "librispeech"; then
    bash recipes/librispeech/run.sh --corpus "$exp/corpora/librispeech" --exp "$exp/librispeech" \
        --data "$exp/librispeech_data" --steps 4 --prior-steps 4 --sentences 1 --voices 101 --seconds 1 --count 2
fi

if stage 5 "cifar10"; then
    bash recipes/cifar10/run.sh --corpus "$exp/corpora/cifar10" --exp "$exp/cifar10" --data "$exp/cifar10_data" \
        --schedule slice --seeds 1 --steps 4 --images 8
fi

if stage 6 "imagenet"; then
    bash recipes/imagenet/run.sh --corpus "$exp/corpora/images" --exp "$exp/imagenet" --data "$exp/imagenet_data" \
        --size 32 --channels 8 --steps 4 --images 4
fi

if stage 7 "video"; then
    bash recipes/video/run.sh --schedule brief --episodes 22 --length 12 --exp "$exp/video" --data "$exp/maze"
fi

if stage 8 "frames"; then
    bash recipes/frames/run.sh --schedule short --episodes 22 --steps 4 --channels 8 --images 8 \
        --exp "$exp/frames" --data "$exp/frames_data"
fi

if stage 9 "benchmark"; then
    bash recipes/benchmark/run.sh --schedule brief --exp "$exp/benchmark" --model "$exp/mini"
fi
