#!/usr/bin/env bash
# The paper's speech experiments on VCTK or any folder of speakers: prepare, train, encode, evaluate the codes against phones,
# convert, evaluate conversions, generate, report.
#
#   bash recipes/vctk/run.sh --corpus DIR [--config vctk64] [--exp exp/vctk64] [--data data/vctk] [--steps N]
#        [--unseen p226,p232] [--voices p239,118] [--sentences 6] [--stage N] [--stop-stage N]
#
# DIR is VCTK 0.80 or 0.92, or holds SPEAKER/*.wav|flac|ogg|opus|mp3. A second call does not repeat finished work.
# Speakers named by --unseen are kept out of training, and stage 5 evaluates their codes separately. Give them from the first call
# on: a model that was trained on them is refused.
cd "$(dirname "$0")/../.."
. recipes/common.sh
corpus="" config=vctk64 exp="" data=data/vctk steps="" unseen="" voices="" sentences=6
parse_flags "corpus=corpus config=config exp=exp data=data steps=steps unseen=unseen voices=voices
    sentences=sentences" "$@"
exp=${exp:-exp/$config}

# Folder of the alignments: those of the corpus, or those of stage 4.
lab() { if [ -d "$data/lab" ]; then echo "$data/lab"; else echo "$data/aligned"; fi; }

# The unseen speakers of the manifest, one per line, and whether there are any.
unseen_speakers() { awk -F '\t' '$3 == "unseen" { print $2 }' "$data/manifest.tsv" | sort -u; }
has_unseen() { [ -n "$(unseen_speakers)" ]; }

setup align

if stage 1 "prepare the corpus"; then
    [ -n "$corpus" ] || { echo "which corpus? give --corpus DIR" >&2; exit 2; }
    kind=folder
    compgen -G "$corpus/wav48*" >/dev/null || compgen -G "$corpus/VCTK-Corpus*/wav48*" >/dev/null && kind=vctk
    python -m speechvq.prepare "$kind" --root "$corpus" --out "$data" ${unseen:+--unseen-speakers "$unseen,"}
fi

if stage 2 "train"; then
    [ -z "$unseen" ] || has_unseen || {
        echo "$data was prepared without --unseen; start from stage 1" >&2
        exit 2
    }
    python -m speechvq.train --config "$config" --out "$exp" --set data.manifest="$data" \
        ${steps:+--set train.steps="$steps"}
fi

if stage 3 "encode the held-out sentences and the unseen speakers"; then
    python -m speechvq.encode --model "$exp" --src "$data" --split test --out "$exp/codes"
    if has_unseen; then
        python -m speechvq.convert --model "$exp" --list-speakers --names >"$exp/voices.txt"
        seen=$(sort -u "$exp/voices.txt" | comm -12 - <(unseen_speakers) | paste -sd,)
        [ -z "$seen" ] || { echo "$exp was trained on $seen; give another --exp" >&2; exit 2; }
        python -m speechvq.encode --model "$exp" --src "$data" --split unseen --out "$exp/unseen_codes"
    fi
fi

if stage 4 "align the phones of the evaluated utterances, unless the corpus has alignments"; then
    for split in test $(has_unseen && echo unseen); do
        [ -d "$data/lab" ] ||
            python -m speechvq.align --audio "$data" --split "$split" --text "$data/txt" --out "$data/aligned"
    done
fi

# Evaluate the codes of a split beside the baselines; k-means is fitted on split train only.
score() {
    local split=$1 codes=$2 names=$3
    echo "-- split $split"
    python -m speechvq.evaluate purity --codes "$codes" --alignments "$(lab)" --manifest "$data" \
        --json "$exp/purity$names.json" --plot "$exp/units$names.png"
    python -m speechvq.evaluate baselines --corpus "$data" --alignments "$(lab)" --split "$split" \
        --codes "$codes" --config "$config" --json "$exp/baselines$names.json"
    python -m speechvq.evaluate abx --codes "$codes" --model "$exp" --alignments "$(lab)" --manifest "$data" \
        --split "$split" --items phoneme --context any --max-group 3 --max-across 1 --baselines \
        --json "$exp/abx$names.json"
}

if stage 5 "evaluate the codes against phones"; then
    score test "$exp/codes" ""
    if has_unseen; then score unseen "$exp/unseen_codes" _unseen; fi
fi

if stage 6 "convert held-out sentences, and resynthesize them"; then
    voices=${voices:-$(most_speech "$data/manifest.tsv" 2)}
    python -m speechvq.convert --model "$exp" --src "$data" --split test --limit "$sentences" \
        --target-speaker "$voices" --out "$exp/converted"
    python -m speechvq.convert --model "$exp" --src "$data" --split test --limit "$sentences" \
        --target-speaker own --out "$exp/resynthesis"
fi

if stage 7 "evaluate the conversions"; then
    python -m speechvq.evaluate conversion --converted "$exp/converted" --resynthesis "$exp/resynthesis" \
        --manifest "$data" --json "$exp/conversion.json"
fi

if stage 8 "train a prior over the codes, and generate speech"; then
    python -m speechvq.encode --model "$exp" --src "$data" --out "$exp/all_codes"
    python -m speechvq.train --config vctk_prior --out "$exp/prior" --set data.codes="$exp/all_codes" \
        --set data.manifest="$data" ${steps:+--set train.steps="$steps"}
    python -m speechvq.evaluate prior --prior "$exp/prior" --json "$exp/prior.json"
    python -m speechvq.generate --model "$exp" --prior "$exp/prior" --seconds 4 --count 16 --out "$exp/generated"
    python -m speechvq.evaluate generation --codes "$exp/generated/codes" --reference "$exp/all_codes" \
        --manifest "$data" --sounds "$exp/generated" --json "$exp/generation.json"
fi

if stage 9 "report"; then
    python -m speechvq.report --run "$exp"
    echo "report: $exp/report.html; audio: $exp/converted; numbers: $exp/conversion.json"
fi
