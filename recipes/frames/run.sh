#!/usr/bin/env bash
# Frames of a maze and the second stage (van den Oord et al. 2017, section 4.2): record mazes, train a VQ-VAE from 84x84 frames
# to 21x21x1 codes, and a second VQ-VAE with a PixelCNN decoder from those to three latents, 27 bits.
#
#   bash recipes/frames/run.sh [--corpus DIR] [--exp exp/frames] [--data data/frames] [--episodes N]
#        [--schedule full|short] [--steps N] [--channels N] [--images N] [--device cpu|cuda] [--stage N] [--stop-stage N]
#
# DIR is a folder of images of at least 84x84, used instead of mazes. The schedule "full" needs a GPU; "short" is that of
# RESULTS.md: the first stage of recipes/video, half an hour of one core. For a quick check of the recipe:
# --schedule short --episodes 22 --steps 4 --channels 8 --images 8. Finished steps are not repeated.
cd "$(dirname "$0")/../.."
. recipes/common.sh
corpus="" exp=exp/frames data=data/frames episodes=400 schedule=full steps="" channels="" images="" device=""
parse_flags "corpus=corpus exp=exp data=data episodes=episodes schedule=schedule
    steps=steps channels=channels images=images device=device" "$@"
on=(${device:+--device "$device"})
first=frames_vqvae prior=() second=()
case "$schedule" in
full) ;;
short)
    first=video_vqvae
    brief=(data.batch=8 train.learning_rate=2e-3 train.warmup=50 train.lr_decay_fraction=0.4 train.ema_decay=0.995
        train.evaluate_every=200 train.save_every=200)
    for word in "${brief[@]}" train.steps=300 model.layers=6 model.channels=32 model.hidden_channels=64; do
        prior+=(--set "$word")
    done
    for word in "${brief[@]}" train.steps=800 model.channels=32 model.pixelcnn.layers=6 model.pixelcnn.channels=32 \
        model.pixelcnn.hidden_channels=64; do second+=(--set "$word"); done
    ;;
*) echo "--schedule $schedule: give full or short" >&2; exit 2 ;;
esac
shorter=(${steps:+--set train.steps="$steps"})

[ "$schedule" != full ] || warn_without_gpu "$steps" "$device" \
    "the full schedule is for one; it was never run on a CPU." "--schedule short, half an hour of one core"

setup ""

if stage 1 "make the frames"; then
    if [ -n "$corpus" ]; then
        python -m speechvq.prepare images --root "$corpus" --out "$data" --size 84
    else
        python -m speechvq.prepare maze --out "$data/recording" --episodes "$episodes"
        python -m speechvq.prepare frames --root "$data/recording" --out "$data"
    fi
fi

if stage 2 "train the first stage"; then
    python -m speechvq.train --config "$first" --out "$exp/vqvae" "${on[@]}" "${shorter[@]}" \
        --set data.root="$data" ${channels:+--set model.autoencoder.channels="$channels"}
fi

if stage 3 "fit a PixelCNN to its codes"; then
    python -m speechvq.train --config frames_prior --out "$exp/prior" "${on[@]}" "${prior[@]}" "${shorter[@]}" \
        --set data.model="$exp/vqvae" ${channels:+--set model.channels="$channels"}
fi

if stage 4 "train the second stage: latents_gap_bits tells whether its three latents are used"; then
    python -m speechvq.train --config frames_second_stage --out "$exp/second" "${on[@]}" "${second[@]}" \
        "${shorter[@]}" --set data.model="$exp/vqvae" \
        ${channels:+--set model.channels="$channels" --set model.pixelcnn.channels="$channels"}
fi

if stage 5 "measure"; then
    python -m speechvq.evaluate likelihood --run "$exp/vqvae" --prior "$exp/prior" --second-stage "$exp/second" \
        "${on[@]}" ${images:+--images "$images"} --json "$exp/likelihood.json"
fi

if stage 6 "draw: frames, the first stage, 27 bits; and samples"; then
    python -m speechvq.draw --run "$exp/vqvae" --prior "$exp/prior" --second-stage "$exp/second" --out "$exp/vqvae" \
        ${images:+--count "$images"} "${on[@]}"
fi

if stage 7 "report: a page of the pictures, and one of the second stage"; then
    python -m speechvq.report --run "$exp/vqvae" --likelihood "$exp/likelihood.json"
    python -m speechvq.report --run "$exp/second"
fi
