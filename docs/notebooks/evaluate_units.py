# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Evaluate anybody's units
#
# Discrete units of any model can be measured. The inputs are the units, as integers, and phone labels of the
# same speech. This notebook measures two kinds of units on a small corpus: k-means clusters of MFCC, which
# stand for units of your own, and the codes of the default model. It runs in the repository root and needs
# the extra `mini`.

# %%
import json
import tempfile
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans

import speechvq
from speechvq import metrics
from speechvq.alignment.directory import open_alignments
from speechvq.alignment.intervals import phones_at_frames
from speechvq.audio.mfcc import mfcc
from speechvq.audio.waveform import SAMPLE_RATE, read_waveform
from speechvq.data.manifest import read_manifest

folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## Speech and phone labels
#
# `prepare mini` synthesizes sentences by eSpeak NG and writes exact phone labels. For recordings, `align`
# writes the labels from the texts.

# %%
# !python -m speechvq.prepare mini --speakers 4 --sentences 8 --out {folder}/mini

# %%
utterances = read_manifest(folder / "mini")
waves = {each.utt: read_waveform(each.path) for each in utterances}
alignments = open_alignments(folder / "mini" / "lab").read_all()
print(len(waves), "utterances; the first phones of one of them:")
for interval in alignments[utterances[0].utt][:4]:
    print(f"  {interval.start:.3f} to {interval.end:.3f} s: {interval.phone}")

# %% [markdown]
# ## Two kinds of units
#
# Units are one integer array per utterance. The k-means clusters have as many frames per second as the codes.

# %%
model = speechvq.load()
frame_rate = SAMPLE_RATE // model.config.hop
print(frame_rate, "frames per second")
features = {utt: mfcc(wave, frame_rate) for utt, wave in waves.items()}
kmeans = KMeans(100, n_init=1, random_state=0).fit(np.concatenate(list(features.values())))
units = {"k-means on MFCC": {utt: kmeans.predict(rows) for utt, rows in features.items()}}

units["bundled model"] = {utt: model.encode(wave) for utt, wave in waves.items()}

# %% [markdown]
# ## Lower references
#
# A number alone means little. Phone purity grows with the number of codes, even if the codes are noise. The
# same codes in random order keep their frequencies and lose everything else, so they are the lower reference
# of purity and of PNMI. No purity is below the fraction of the most frequent phone.

# %%
rng = np.random.default_rng(0)
for name in list(units):
    order = rng.permutation(np.concatenate(list(units[name].values())))
    ends = np.cumsum([len(codes) for codes in units[name].values()])
    units[f"{name}, shuffled"] = dict(zip(units[name], np.split(order, ends[:-1])))

# %% [markdown]
# ## The metrics

# %%
labels = [
    phone
    for utt, wave in waves.items()
    for phone in phones_at_frames(alignments[utt], len(features[utt]), frame_rate)
    if phone
]
print(f"most frequent phone: {max(labels.count(phone) for phone in set(labels)) / len(labels):.1%}")
print(f"{'':26} {'purity':>7} {'PNMI':>6} {'perplexity':>10} {'bit/s':>6} {'ms per code':>11}")
for name, codes in units.items():
    phones = {utt: phones_at_frames(alignments[utt], len(each), frame_rate) for utt, each in codes.items()}
    usage = metrics.codebook_statistics(codes, num_codes=512)
    print(
        f"{name:26} {metrics.purity(codes, phones):7.1%} {metrics.pnmi(codes, phones):6.3f} "
        f"{usage.perplexity:10.0f} {frame_rate * usage.entropy_bits:6.0f} "
        f"{1000 / frame_rate * usage.mean_code_duration_frames:11.0f}"
    )

# %% [markdown]
# The k-means clusters were fitted on these recordings, and the bundled model was not trained on
# synthesized speech, so the two rows do not rank the methods.
#
# ABX asks whether two examples of a phone are closer to one another than to an example of another phone.
# Chance is 50 %. "Across" takes the example to be judged from another speaker. Codes are compared by the
# angle of their codebook vectors.

# %%
segments = {utt: [(each.start, each.end, each.phone) for each in found] for utt, found in alignments.items()}
speakers = {each.utt: each.speaker for each in utterances}
options = {"items": "phoneme", "context": "any", "max_group": 3, "max_across": 1}
inputs = {"MFCC, not quantized": (features, None)}
inputs["k-means on MFCC"] = (units["k-means on MFCC"], kmeans.cluster_centers_)
inputs["bundled model"] = (units["bundled model"], model.quantizer.codebook)
for name, (frames, codebook) in inputs.items():
    within, across = (
        metrics.abx(
            frames,
            segments,
            speakers,
            frame_rate_hz=frame_rate,
            codebook=codebook,
            speaker=speaker,
            **options,
        )
        for speaker in ("within", "across")
    )
    print(f"{name:20} within {within.error:5.1%}, across {across.error:5.1%}")

# %% [markdown]
# ## The same from the command line
#
# A codes directory is `meta.json` and one `.npy` file per utterance. The command adds confidence intervals
# and a map that is fitted on other speakers.

# %%
corpus, directory = folder / "mini", folder / "units"
directory.mkdir()
meta = {"frame_rate_hz": frame_rate, "num_codes": 100}
(directory / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
for utt, codes in units["k-means on MFCC"].items():
    np.save(directory / f"{utt}.npy", codes)

# %%
# !python -m speechvq.evaluate purity --codes {directory} --alignments {corpus}/lab --manifest {corpus}
