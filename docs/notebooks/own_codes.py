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
# # Codes of your own recording
#
# This notebook encodes one recording, shows its codes under its spectrogram, and decodes the codes in two
# voices. It runs in the repository root. Replace `docs/source.flac` by a recording of your own.

# %%
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Audio

import speechvq
from speechvq.audio.waveform import SAMPLE_RATE, read_waveform

wave = read_waveform("docs/source.flac")  # (T,), float32, mono, resampled to 16 kHz
print(f"{len(wave) / SAMPLE_RATE:.2f} s of audio")
Audio(wave, rate=SAMPLE_RATE)

# %% [markdown]
# ## Encode
#
# `encode` gives one integer per code frame. With r frames per second and K codes, a second of speech costs at
# most r log2(K) bits.

# %%
model = speechvq.load()
codes = model.encode(wave)
frame_rate = SAMPLE_RATE / model.config.hop
print(codes[:40])
num_codes = model.quantizer.num_codes
print(f"{len(codes)} codes, {frame_rate:g} per second, K = {num_codes}")
print(f"at most {frame_rate * np.log2(num_codes):.0f} bit/s")

# %% [markdown]
# `codebook_statistics` counts the codes. The perplexity is the number of codes that would give the same
# entropy if all were equally frequent. A run is a stretch of equal codes.

# %%
usage = speechvq.metrics.codebook_statistics(codes, num_codes=num_codes)
print(f"{usage.active_codes} different codes, perplexity {usage.perplexity:.0f}")
print(f"{frame_rate * usage.entropy_bits:.0f} bit/s by the entropy of these codes")
print(f"mean code duration {1000 * usage.mean_code_duration_frames / frame_rate:.0f} ms")

# %% [markdown]
# ## Codes under the spectrogram
#
# The encoder reads a log-mel spectrogram. The figure shows its first second. Each vertical line is a change
# of the code.

# %%
mel = model.mel(wave)  # (L, M)
seconds = len(wave) / SAMPLE_RATE
changes = np.flatnonzero(np.diff(codes)) + 1
figure, axes = plt.subplots(figsize=(9, 3))
axes.imshow(mel.T, origin="lower", aspect="auto", extent=(0, seconds, 0, mel.shape[1]), cmap="magma")
axes.vlines(changes / frame_rate, 0, mel.shape[1], color="white", linewidth=0.6)
axes.set(xlabel="seconds", ylabel="mel band", xlim=(0, min(seconds, 1.0)))
plt.show()

# %% [markdown]
# ## Decode
#
# `decode` needs the codes and a speaker only: the F0 contour is predicted from the codes. `convert` also
# copies the F0 contour of the recording, shifted to the target's mean F0, and its loudness.

# %%
Audio(model.decode(codes, "1088"), rate=SAMPLE_RATE)

# %%
converted = model.convert(wave, "118")
Audio(converted, rate=SAMPLE_RATE)

# %% [markdown]
# ## How stable are the codes?
#
# If codes represented the content only, the codes of a conversion would be those of the source. In practice
# only some of them agree, because codes also depend on the voice and on the noise of the decoder. The lower
# reference is the agreement with the same codes in random order.

# %%
again = model.encode(converted)[: len(codes)]
shuffled = np.random.default_rng(0).permutation(codes)
print(f"equal codes after conversion: {np.mean(again == codes[: len(again)]):.0%}")
print(f"equal codes in random order:  {np.mean(shuffled == codes):.0%}")
