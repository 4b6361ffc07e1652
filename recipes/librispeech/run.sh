#!/usr/bin/env bash
# Speech codes on LibriSpeech (van den Oord et al. 2017, section 4.3): prepare, train, encode, compare the codes with phonemes,
# convert, train a prior, generate, evaluate, report.
#
#   bash recipes/librispeech/run.sh --corpus DIR [--config libri128] [--exp exp/libri128]
#        [--data data/librispeech] [--steps N] [--prior-steps N] [--voices 118,226] [--sentences 6] [--seconds 4] [--count 16]
#        [--stage N] [--stop-stage N]
#
# DIR contains LibriSpeech as published: LibriSpeech/SUBSET/SPEAKER/CHAPTER/*.flac. Finished steps are not repeated.
cd "$(dirname "$0")/../.."
. recipes/common.sh
corpus="" config=libri128 exp="" data=data/librispeech steps="" prior_steps=""
voices="" sentences=6 seconds=4 count=16
parse_flags "corpus=corpus config=config exp=exp data=data steps=steps prior-steps=prior_steps
    voices=voices sentences=sentences seconds=seconds count=count" "$@"
exp=${exp:-exp/$config}

setup align

if stage 1 "prepare the corpus"; then
    [ -n "$corpus" ] || { echo "--corpus is missing; give --corpus DIR" >&2; exit 2; }
    python -m speechvq.prepare librispeech --root "$corpus" --out "$data"
fi

if stage 2 "train"; then
    python -m speechvq.train --config "$config" --out "$exp" --set data.manifest="$data" \
        ${steps:+--set train.steps="$steps"}
fi

if stage 3 "encode, the held-out sentences apart"; then
    python -m speechvq.encode --model "$exp" --src "$data" --split test --out "$exp/codes"
    python -m speechvq.encode --model "$exp" --src "$data" --out "$exp/all_codes"
fi

if stage 4 "find the phones of the held-out sentences"; then
    python -m speechvq.align --audio "$data" --split test --text "$data/txt" --out "$data/aligned"
fi

if stage 5 "are the codes phonemes?"; then
    python -m speechvq.evaluate purity --codes "$exp/codes" --alignments "$data/aligned" --manifest "$data" \
        --json "$exp/purity.json" --plot "$exp/units.png"
    python -m speechvq.evaluate baselines --corpus "$data" --alignments "$data/aligned" --codes "$exp/codes" \
        --config "$config" --json "$exp/baselines.json"
    python -m speechvq.evaluate abx --codes "$exp/codes" --model "$exp" --alignments "$data/aligned" \
        --manifest "$data" --split test --items phoneme --context any --max-group 3 --max-across 1 --baselines \
        --json "$exp/abx.json"
fi

if stage 6 "convert held-out sentences, and resynthesize them"; then
    voices=${voices:-$(most_speech "$data/manifest.tsv" 2)}
    python -m speechvq.convert --model "$exp" --src "$data" --split test --limit "$sentences" \
        --target-speaker "$voices" --out "$exp/converted"
    python -m speechvq.convert --model "$exp" --src "$data" --split test --limit "$sentences" \
        --target-speaker own --out "$exp/resynthesis"
fi

if stage 7 "learn which codes follow which"; then
    python -m speechvq.train --config librispeech_prior --out "$exp/prior" \
        --set data.codes="$exp/all_codes" --set data.manifest="$data" ${prior_steps:+--set train.steps="$prior_steps"}
fi

if stage 8 "speak from nothing"; then
    python -m speechvq.generate --model "$exp" --prior "$exp/prior" --seconds "$seconds" --count "$count" \
        --out "$exp/generated"
fi

if stage 9 "measure"; then
    python -m speechvq.evaluate conversion --converted "$exp/converted" --resynthesis "$exp/resynthesis" \
        --manifest "$data" --json "$exp/conversion.json"
    python -m speechvq.evaluate prior --prior "$exp/prior" --json "$exp/prior.json"
    python -m speechvq.evaluate generation --codes "$exp/generated/codes" --reference "$exp/all_codes" \
        --manifest "$data" --sounds "$exp/generated" --json "$exp/generation.json"
fi

if stage 10 "report"; then
    python -m speechvq.report --run "$exp"
    echo "listen: $exp/report.html; sounds: $exp/generated; numbers: $exp/prior.json, $exp/generation.json"
fi
