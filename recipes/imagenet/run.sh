#!/usr/bin/env bash
# Images of 128x128 (van den Oord et al. 2017, section 4.2): 32x32x1 codes of K = 512, a compression by 42.6, and a PixelCNN.
#
#   bash recipes/imagenet/run.sh --corpus DIR [--exp exp/imagenet] [--data data/imagenet] [--schedule full|short] [--size 128]
#        [--channels N] [--steps N] [--images N] [--device cpu|cuda] [--stage N] [--stop-stage N]
#
# DIR is a folder of images: train/CLASS/* and val/CLASS/*; without these folders one image in twenty is in the test split.
# Images are scaled so that the shorter side has the size, and the center is cropped. The camera's orientation is applied; CMYK,
# 16-bit and animated files are converted and counted, smaller, damaged and huge files skipped and counted. The schedule "full"
# needs a GPU; "short" is that of RESULTS.md, less than an hour of one core. A small size and few channels give a quick check of the recipe.
# Finished steps are not repeated.
cd "$(dirname "$0")/../.."
. recipes/common.sh
corpus="" exp=exp/imagenet data=data/imagenet schedule=full size=128 channels="" steps="" images="" device=""
parse_flags "corpus=corpus exp=exp data=data schedule=schedule size=size channels=channels steps=steps
    images=images device=device" "$@"
on=(${device:+--device "$device"})
shorter=(${steps:+--set train.steps="$steps"})
fast=() first=() prior=()
case "$schedule" in
full) ;;
short)
    brief=(train.learning_rate=2e-3 train.warmup=50 train.lr_decay_fraction=0.4 train.ema_decay=0.99 train.save_every=100)
    for word in "${brief[@]}" data.batch=4 model.autoencoder.channels=32 model.autoencoder.mixtures=3 train.steps=600 \
        train.evaluate_every=200 train.num_eval_items=32; do first+=(--set "$word"); done
    for word in "${brief[@]}" data.batch=8 model.layers=6 model.channels=32 model.hidden_channels=64 train.steps=4000 \
        train.evaluate_every=500 train.num_eval_items=64; do prior+=(--set "$word"); done
    ;;
*) echo "--schedule $schedule: give full or short" >&2; exit 2 ;;
esac
case "$device" in cuda*) fast=(--set train.precision=bf16 --set train.compile=true) ;; esac

setup ""

if stage 1 "read the pictures"; then
    [ -n "$corpus" ] || { echo "--corpus is missing; give --corpus DIR" >&2; exit 2; }
    python -m speechvq.prepare images --root "$corpus" --out "$data" --size "$size"
fi

if stage 2 "train"; then
    python -m speechvq.train --config imagenet_vqvae --out "$exp/vqvae" "${on[@]}" "${first[@]}" "${shorter[@]}" \
        "${fast[@]}" --set data.root="$data" --set model.autoencoder.size="$size" \
        ${channels:+--set model.autoencoder.channels="$channels"}
fi

if stage 3 "fit a PixelCNN to the codes"; then
    python -m speechvq.train --config imagenet_prior --out "$exp/prior" "${on[@]}" "${prior[@]}" "${shorter[@]}" \
        --set data.model="$exp/vqvae" ${channels:+--set model.channels="$channels"}
fi

if stage 4 "measure"; then
    python -m speechvq.evaluate likelihood --run "$exp/vqvae" --prior "$exp/prior" "${on[@]}" \
        ${images:+--images "$images"} --json "$exp/likelihood.json"
fi

if stage 5 "the same pictures as JPEG and WebP of equal size; bits per code"; then
    python -m speechvq.evaluate compression --run "$exp/vqvae" --prior "$exp/prior" "${on[@]}" \
        ${images:+--images "$images"} --json "$exp/compression.json"
fi

if stage 6 "draw reconstructions and samples"; then
    python -m speechvq.draw --run "$exp/vqvae" --prior "$exp/prior" --out "$exp/vqvae" \
        ${images:+--count "$images"} "${on[@]}"
fi

if stage 7 "report"; then
    python -m speechvq.report --run "$exp/vqvae" --likelihood "$exp/likelihood.json"
fi
