"""The built-in corpus of synthetic speech: `corpus` builds it from `sentences` and `voices` by eSpeak NG."""
