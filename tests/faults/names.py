"""The families of the matrix, in the order of the page: modules in `families`, with their titles."""

FAMILIES = {
    "resume": "Resume to the bit",
    "kill": "Killed at any moment",
    "signals": "Interrupted",
    "disk": "Disk full or read-only",
    "hostile": "Hostile files",
    "sounds": "Bad sound",
    "alignments": "Bad alignments",
    "codes": "Bad code directories",
    "archives": "Archives and servers that misbehave",
    "nan": "NaN and Inf",
    "quantizer": "Properties of the quantizer",
    "wavenet": "Properties of WaveNet",
    "purity": "Properties of purity",
    "likelihood": "Properties of likelihoods",
    "steady": "Flat memory and handles",
    "source": "No code from files",
    "changed": "Changed corpora",
    "together": "Two processes at once",
}
