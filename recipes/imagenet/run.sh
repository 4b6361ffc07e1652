#!/usr/bin/env bash
# The paper's experiment on pictures of 128x128: 32x32x1 codes of 512, 42.6 times fewer bits, and a PixelCNN over them.
#
#   bash recipes/imagenet/run.sh --corpus DIR [--exp exp/imagenet] [--data data/imagenet] [--size 128] [--units N]
#        [--steps N] [--images N] [--device cpu|cuda] [--stage N] [--stop-stage N]
#
# DIR is any folder of pictures: train/CLASS/* beside val/CLASS/*, or without such folders, when one in twenty is held out.
# Pictures are scaled until the shorter side has the size, and their centre is cut out; smaller and broken ones are skipped
# and counted. A small size and few units make it a test of the plumbing. A second call does not repeat what is done.
cd "$(dirname "$0")/../.."
. recipes/common.sh
corpus="" exp=exp/imagenet data=data/imagenet size=128 units="" steps="" images="" device=""
parse_flags "corpus=corpus exp=exp data=data size=size units=units steps=steps images=images device=device" "$@"
on=(${device:+--device "$device"})
shorter=(${steps:+--set train.steps="$steps"})
fast=()
case "$device" in cuda*) fast=(--set train.precision=bf16 --set train.compile=true) ;; esac

setup ""

if stage 1 "read the pictures"; then
    [ -n "$corpus" ] || { echo "which folder? give --corpus DIR" >&2; exit 2; }
    python -m speechvq.prepare images --root "$corpus" --out "$data" --size "$size"
fi

if stage 2 "train"; then
    python -m speechvq.train --config recipes/imagenet/vqvae.yaml --out "$exp/vqvae" "${on[@]}" "${shorter[@]}" \
        "${fast[@]}" --set data.root="$data" --set model.autoencoder.size="$size" \
        ${units:+--set model.autoencoder.channels="$units"}
fi

if stage 3 "fit a PixelCNN to the codes"; then
    python -m speechvq.train --config recipes/imagenet/prior.yaml --out "$exp/prior" "${on[@]}" "${shorter[@]}" \
        --set data.model="$exp/vqvae" ${units:+--set model.channels="$units"}
fi

if stage 4 "measure"; then
    python -m speechvq.evaluate likelihood --run "$exp/vqvae" --prior "$exp/prior" "${on[@]}" \
        ${images:+--images "$images"} --json "$exp/likelihood.json"
fi

if stage 5 "draw reconstructions and samples"; then
    python -m speechvq.draw --run "$exp/vqvae" --prior "$exp/prior" --out "$exp/vqvae" \
        ${images:+--count "$images"} "${on[@]}"
fi

if stage 6 "report"; then
    python -m speechvq.report --run "$exp/vqvae" --likelihood "$exp/likelihood.json"
fi
