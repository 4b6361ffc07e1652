#!/usr/bin/env bash
# The whole toolkit in a quarter of an hour: install, build a corpus, train, encode, convert, train a prior, generate, evaluate.
#
#   bash recipes/mini/run.sh [--stage N] [--stop-stage N] [--exp exp/mini] [--data data/mini] [--steps N] [--sentences N]
#
# A second call does not repeat finished work. --steps and --sentences shorten it to try the scripts; the last stage then does not
# check what the model learned.
cd "$(dirname "$0")/../.."
. recipes/common.sh
exp=exp/mini data=data/mini steps="" sentences=4
parse_flags "exp=exp data=data steps=steps sentences=sentences" "$@"
voices=m01,f03,m05
[ -n "$steps" ] || echo "This takes a quarter of an hour on two cores. A short form, to try the scripts:" \
    "bash recipes/mini/run.sh --steps 40 --sentences 1 --exp exp/short"

setup mini

if stage 1 "synthesize the corpus with eSpeak NG: 10 speakers, 40 sentences each"; then
    python -m speechvq.prepare mini --out "$data"
fi

if stage 2 "train"; then
    python -m speechvq.train --config mini --out "$exp" --set data.manifest="$data" \
        ${steps:+--set train.steps="$steps" --set model.source_filter.pretrain_steps="$steps"}
fi

if stage 3 "encode the held-out sentences"; then
    python -m speechvq.encode --model "$exp" --src "$data" --split test --out "$exp/codes"
fi

if stage 4 "convert held-out sentences to the speakers $voices, and resynthesize them"; then
    python -m speechvq.convert --model "$exp" --src "$data" --split test --limit "$sentences" \
        --target-speaker "$voices" --out "$exp/converted"
    python -m speechvq.convert --model "$exp" --src "$data" --split test --limit "$sentences" \
        --target-speaker own --out "$exp/resynthesis"
fi

if stage 5 "train a prior over the codes, and generate speech"; then
    python -m speechvq.encode --model "$exp" --src "$data" --out "$exp/all_codes"
    python -m speechvq.train --config mini_prior --out "$exp/prior" --set data.codes="$exp/all_codes" \
        --set data.manifest="$data" ${steps:+--set train.steps="$steps"}
    python -m speechvq.generate --model "$exp" --prior "$exp/prior" --seconds 3 --count "$sentences" \
        --speaker "$voices" --out "$exp/generated"
fi

if stage 6 "evaluate and plot"; then
    python -m speechvq.evaluate conversion --converted "$exp/converted" --resynthesis "$exp/resynthesis" \
        --manifest "$data" --json "$exp/conversion.json"
    python -m speechvq.evaluate prior --prior "$exp/prior" --json "$exp/prior.json"
    python -m speechvq.evaluate generation --codes "$exp/generated/codes" --reference "$exp/all_codes" \
        --manifest "$data" --alignments "$data/lab" --sounds "$exp/generated" --json "$exp/generation.json"
    python -m speechvq.evaluate purity --codes "$exp/codes" --alignments "$data/lab" --manifest "$data" \
        --json "$exp/purity.json"
    python -m speechvq.evaluate baselines --corpus "$data" --alignments "$data/lab" --codes "$exp/codes" \
        --config mini --seeds 1 --json "$exp/baselines.json"
    python -m speechvq.evaluate abx --codes "$exp/codes" --model "$exp" --alignments "$data/lab" --manifest "$data" \
        --split test --items phoneme --context any --max-group 3 --max-across 1 --baselines --json "$exp/abx.json"
    python -m speechvq.report --run "$exp"
    python recipes/mini/check_results.py "$exp" ${steps:+--short}
fi
