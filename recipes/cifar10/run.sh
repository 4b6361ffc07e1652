#!/usr/bin/env bash
# Likelihoods on CIFAR-10 (van den Oord et al. 2017, section 4.1): a VAE, a VQ-VAE and VIMCO of one architecture, a prior over
# the codes, and a table.
#
#   bash recipes/cifar10/run.sh --corpus DIR [--exp exp/cifar10] [--data data/cifar10] [--schedule paper|small|slice]
#        [--seeds N] [--steps N] [--images N] [--device cpu|cuda] [--stage N] [--stop-stage N]
#
# DIR contains cifar-10-batches-bin, gzipped or not; or picture files, train/CLASS/*.png and test/CLASS/*.png, of which all
# 50,000 train and all 10,000 are measured. In folders CLASS/*.png without splits one picture in 20 is in test, and the output
# says so. If there is neither, the binary version is downloaded into DIR. The schedule "paper" needs a GPU, where models are
# trained in bfloat16 and compiled; "small" is for nights of two cores: a quarter of the channels, a mixture of ten logistic
# distributions for a sub-pixel; "slice" is a narrow model and few steps, half an hour of one core. --seeds: number of trainings
# of the VAE, the VQ-VAE and its prior (slice 3, otherwise 1); VIMCO, which costs fifty times as much, is trained once.
# --images: number of test images to evaluate (default: all). An interrupted run continues; finished steps are not repeated.
cd "$(dirname "$0")/../.."
. recipes/common.sh
corpus="" exp=exp/cifar10 data=data/cifar10 schedule=paper seeds="" steps="" images="" device=""
parse_flags "corpus=corpus exp=exp data=data schedule=schedule seeds=seeds steps=steps images=images device=device" "$@"
settings=() prior_settings=() vae=() vqvae=() vimco=() # for the three models, for the prior, for one model
case "$schedule" in
paper) seeds=${seeds:-1} ;;
small)
    seeds=${seeds:-1}
    for word in model.autoencoder.channels=64 model.autoencoder.likelihood=logistic model.autoencoder.mixtures=10 \
        data.batch=32 train.steps=60000 train.learning_rate=1e-3 train.lr_decay_fraction=0.4 train.ema_decay=0.999 \
        train.evaluate_every=1000 train.num_eval_items=500 train.save_every=500; do
        settings+=(--set "$word")
    done
    # The processor's own bfloat16 products nearly double the speed of the convolutions.
    if grep -qs -e avx512_bf16 -e amx_bf16 /proc/cpuinfo; then settings+=(--set train.precision=bf16); fi
    vqvae=(--set model.quantizer.codebook=ema)
    # VIMCO takes 2.5 s of one core (AMD EPYC, AVX-512) per step of 8 images, the VQ-VAE 0.9 s per step of 32.
    vimco=(--set data.batch=8 --set train.num_eval_items=64 --set train.steps="${steps:-15000}")
    for word in model.layers=8 model.channels=64 model.hidden_channels=128 data.batch=32 train.steps=20000 \
        train.learning_rate=1e-3 train.ema_decay=0.999 train.evaluate_every=1000 train.num_eval_items=500 \
        train.save_every=500; do
        prior_settings+=(--set "$word")
    done
    ;;
slice)
    seeds=${seeds:-3}
    narrow=(model.autoencoder.channels=32 model.autoencoder.likelihood=logistic model.autoencoder.mixtures=3)
    brief=(train.learning_rate=2e-3 train.warmup=50 train.lr_decay_fraction=0.4 train.ema_decay=0.99 train.num_eval_items=64)
    for word in "${narrow[@]}" data.batch=4 train.steps=600 train.evaluate_every=200 train.save_every=200 "${brief[@]}"; do
        settings+=(--set "$word")
    done
    for word in model.layers=4 model.channels=32 model.hidden_channels=64 data.batch=8 train.steps=600 \
        train.evaluate_every=200 train.save_every=200 "${brief[@]}"; do
        prior_settings+=(--set "$word")
    done
    ;;
*) echo "--schedule $schedule: give paper, small or slice" >&2; exit 2 ;;
esac
[[ $seeds =~ ^[1-9][0-9]*$ ]] || { echo "--seeds $seeds: give a whole number" >&2; exit 2; }
settings+=(--set data.root="$data" ${steps:+--set train.steps="$steps"})
prior_settings+=(${steps:+--set train.steps="$steps"})
case "$device" in cuda*) settings+=(--set train.precision=bf16 --set train.compile=true) ;; esac
on=(${device:+--device "$device"})

[ "$schedule" != paper ] || warn_without_gpu "$steps" "$device" \
    "a step takes about a second of one core, so the 250,000 steps of one model take about three days." "--schedule small or slice"

setup ""

if stage 1 "read CIFAR-10"; then
    [ -n "$corpus" ] || { echo "--corpus is missing; give --corpus DIR" >&2; exit 2; }
    download=()
    compgen -G "$corpus/test_batch.bin*" >/dev/null ||
        compgen -G "$corpus/cifar-10-batches-bin/test_batch.bin*" >/dev/null ||
        [ -d "$corpus/airplane" ] || [ -d "$corpus/train/airplane" ] || download=(--download)
    python -m speechvq.prepare cifar10 --root "$corpus" --out "$data" "${download[@]}"
fi

if stage 2 "train the VAE, the VQ-VAE and VIMCO"; then
    for model in vae vqvae vimco; do
        for ((seed = 0; seed < seeds; seed++)); do
            [ "$model$seed" = vimco1 ] && break
            run=$exp/$model${seed/#0/} # EXP/vae is of seed 0, EXP/vae1 of seed 1
            echo "-- $run"
            declare -n own=$model
            python -m speechvq.train --config "cifar10_$model" --out "$run" "${on[@]}" "${settings[@]}" "${own[@]}" \
                --set train.seed="$seed"
        done
    done
fi

if stage 3 "fit a PixelCNN to the VQ-VAE's codes"; then
    for ((seed = 0; seed < seeds; seed++)); do
        run=$exp/prior${seed/#0/}
        echo "-- $run"
        python -m speechvq.train --config cifar10_prior --out "$run" "${on[@]}" "${prior_settings[@]}" \
            --set data.model="$exp/vqvae${seed/#0/}" --set train.seed="$seed"
    done
fi

if stage 4 "measure"; then
    for model in vae vqvae vimco; do
        for ((seed = 0; seed < seeds; seed++)); do
            [ "$model$seed" = vimco1 ] && break
            run=$exp/$model${seed/#0/} fitted=()
            [ "$model" = vqvae ] && fitted=(--prior "$exp/prior${seed/#0/}")
            python -m speechvq.evaluate likelihood --run "$run" "${fitted[@]}" "${on[@]}" \
                ${images:+--images "$images"} --json "$run.json"
        done
    done
fi

if stage 5 "draw reconstructions and samples"; then
    python -m speechvq.draw --run "$exp/vae" --out "$exp/vae" "${on[@]}"
    python -m speechvq.draw --run "$exp/vqvae" --prior "$exp/prior" --out "$exp/vqvae" "${on[@]}"
    python -m speechvq.draw --run "$exp/vimco" --out "$exp/vimco" "${on[@]}"
fi

if stage 6 "report: a page each, and the table"; then
    for model in vae vqvae vimco; do
        python -m speechvq.report --run "$exp/$model" --likelihood "$exp/$model.json"
    done
    python recipes/cifar10/table.py "$exp"
fi
