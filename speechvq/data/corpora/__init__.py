"""One module a corpus, its oddities in the docstring; each finds its recordings under a root folder."""
