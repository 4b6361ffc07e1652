#!/usr/bin/env bash
# The paper's speech experiments on VCTK or any folder of speakers: prepare, train, encode, compare the codes with
# phonemes, convert, measure, speak from nothing, report.
#
#   bash recipes/vctk/run.sh --corpus DIR [--config vctk64] [--exp exp/vctk64] [--data data/vctk] [--steps N]
#        [--voices p239,118] [--sentences 6] [--stage N] [--stop-stage N]
#
# DIR is VCTK 0.80 or 0.92, or holds SPEAKER/*.wav|flac|ogg|opus|mp3. A second call does not repeat what is done.
cd "$(dirname "$0")/../.."
. recipes/common.sh
corpus="" config=vctk64 exp="" data=data/vctk steps="" voices="" sentences=6
parse_flags "corpus=corpus config=config exp=exp data=data steps=steps voices=voices sentences=sentences" "$@"
exp=${exp:-exp/$config}

setup align

if stage 1 "prepare the corpus"; then
    [ -n "$corpus" ] || { echo "which corpus? give --corpus DIR" >&2; exit 2; }
    kind=folder
    compgen -G "$corpus/wav48*" >/dev/null || compgen -G "$corpus/VCTK-Corpus*/wav48*" >/dev/null && kind=vctk
    python -m speechvq.prepare "$kind" --root "$corpus" --out "$data"
fi

if stage 2 "train"; then
    python -m speechvq.train --config "recipes/vctk/$config.yaml" --out "$exp" --set data.manifest="$data" \
        ${steps:+--set train.steps="$steps"}
fi

if stage 3 "encode the held-out sentences"; then
    python -m speechvq.encode --model "$exp" --src "$data" --split test --out "$exp/codes"
fi

if stage 4 "find the phones, where the corpus does not tell them"; then
    [ -d "$data/lab" ] || python -m speechvq.align --audio "$data" --text "$data/txt" --out "$data/lab"
fi

if stage 5 "are the codes phonemes?"; then
    python -m speechvq.evaluate purity --codes "$exp/codes" --alignments "$data/lab" --manifest "$data" \
        --json "$exp/purity.json" --plot "$exp/units.png"
    python -m speechvq.evaluate baselines --corpus "$data" --alignments "$data/lab" --codes "$exp/codes" \
        --config "recipes/vctk/$config.yaml" --json "$exp/baselines.json"
fi

if stage 6 "convert held-out sentences"; then
    voices=${voices:-$(python -m speechvq.convert --model "$exp" --list-speakers | sed -n '1p;$p' | paste -sd,)}
    python -m speechvq.convert --model "$exp" --src "$data" --split test --limit "$sentences" \
        --target-speaker "$voices" --out "$exp/converted"
fi

if stage 7 "measure"; then
    python -m speechvq.evaluate conversion --converted "$exp/converted" --manifest "$data" --json "$exp/conversion.json"
fi

if stage 8 "learn which codes follow which, and speak from nothing"; then
    python -m speechvq.encode --model "$exp" --src "$data" --out "$exp/all_codes"
    python -m speechvq.train --config recipes/vctk/prior.yaml --out "$exp/prior" --set data.codes="$exp/all_codes" \
        --set data.manifest="$data" ${steps:+--set train.steps="$steps"}
    python -m speechvq.evaluate prior --prior "$exp/prior" --json "$exp/prior.json"
    python -m speechvq.generate --model "$exp" --prior "$exp/prior" --seconds 4 --count 16 --out "$exp/generated"
    python -m speechvq.evaluate generation --codes "$exp/generated/codes" --reference "$exp/all_codes" \
        --manifest "$data" --sounds "$exp/generated" --json "$exp/generation.json"
fi

if stage 9 "report"; then
    python -m speechvq.report --run "$exp" --converted "$exp/converted" --manifest "$data" \
        --scores "$exp/conversion.json" --codes "$exp/codes" --alignments "$data/lab" --purity "$exp/purity.json" \
        --baselines "$exp/baselines.json" --generated "$exp/generated" --out "$exp/report.html"
    echo "listen: $exp/report.html; sounds: $exp/converted; numbers: $exp/conversion.json"
fi
