"""The families of the matrix, in the order of the page: modules in `families`, with their titles."""

FAMILIES = {
    "resume": "Bit-exact resume",
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
    "steady": "Constant memory and open files",
    "source": "No code from files",
    "changed": "Changed corpora",
    "together": "Two processes at once",
}
