#!/usr/bin/env bash
# The paper's likelihoods on CIFAR-10: a VAE, a VQ-VAE and VIMCO on one architecture, a prior over the codes, the table.
#
#   bash recipes/cifar10/run.sh --corpus DIR [--exp exp/cifar10] [--data data/cifar10] [--schedule paper|slice]
#        [--steps N] [--images N] [--device cpu|cuda] [--stage N] [--stop-stage N]
#
# DIR holds cifar-10-batches-bin, gzipped files or not; where it does not, and there is a network, the binary version is
# downloaded into it. The schedule "paper" wants a GPU; "slice" is the one of RESULTS.md, minutes of a core: a narrow
# model, few steps. A second call does not repeat what is done.
cd "$(dirname "$0")/../.."
. recipes/common.sh
corpus="" exp=exp/cifar10 data=data/cifar10 schedule=paper steps="" images="" device=""
parse_flags "corpus=corpus exp=exp data=data schedule=schedule steps=steps images=images device=device" "$@"
settings=() prior_settings=()
case "$schedule" in
paper) ;;
slice)
    narrow=(model.autoencoder.units=32 model.autoencoder.likelihood=logistic model.autoencoder.mixtures=3)
    brief=(train.learning_rate=2e-3 train.warmup=50 train.decay=0.4 train.average=0.99 train.evaluate_crops=64)
    for word in "${narrow[@]}" data.batch=4 train.steps=120 train.evaluate_every=60 train.save_every=60 "${brief[@]}"; do
        settings+=(--set "$word")
    done
    for word in model.layers=4 model.channels=32 model.hidden=64 data.batch=8 train.steps=300 \
        train.evaluate_every=100 train.save_every=100 "${brief[@]}"; do
        prior_settings+=(--set "$word")
    done
    ;;
*) echo "--schedule $schedule: give paper or slice" >&2; exit 2 ;;
esac
settings+=(--set data.root="$data" ${steps:+--set train.steps="$steps"})
prior_settings+=(--set data.model="$exp/vqvae" ${steps:+--set train.steps="$steps"})
on=(${device:+--device "$device"})

setup ""

if stage 1 "read CIFAR-10"; then
    [ -n "$corpus" ] || { echo "which folder? give --corpus DIR" >&2; exit 2; }
    download=()
    compgen -G "$corpus/test_batch.bin*" >/dev/null ||
        compgen -G "$corpus/cifar-10-batches-bin/test_batch.bin*" >/dev/null || download=(--download)
    python -m speechvq.prepare cifar10 --root "$corpus" --out "$data" "${download[@]}"
fi

if stage 2 "train the VAE, the VQ-VAE and VIMCO"; then
    for model in vae vqvae vimco; do
        echo "-- $model"
        python -m speechvq.train --config "recipes/cifar10/$model.yaml" --out "$exp/$model" "${on[@]}" "${settings[@]}"
    done
fi

if stage 3 "fit a PixelCNN to the VQ-VAE's codes"; then
    python -m speechvq.train --config recipes/cifar10/prior.yaml --out "$exp/prior" "${on[@]}" "${prior_settings[@]}"
fi

if stage 4 "measure"; then
    for model in vae vqvae vimco; do
        fitted=()
        [ "$model" = vqvae ] && fitted=(--prior "$exp/prior")
        python -m speechvq.evaluate likelihood --run "$exp/$model" "${fitted[@]}" "${on[@]}" \
            ${images:+--images "$images"} --json "$exp/$model.json"
    done
fi

if stage 5 "draw reconstructions and samples"; then
    python -m speechvq.draw --run "$exp/vae" --out "$exp/vae" "${on[@]}"
    python -m speechvq.draw --run "$exp/vqvae" --prior "$exp/prior" --out "$exp/vqvae" "${on[@]}"
    python -m speechvq.draw --run "$exp/vimco" --out "$exp/vimco" "${on[@]}"
fi

if stage 6 "the table"; then
    python recipes/cifar10/table.py "$exp"
fi
