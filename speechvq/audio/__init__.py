"""Signal processing of speech: waveforms, F0, glottal phase, linear prediction, mel, MFCC, mu-law."""
