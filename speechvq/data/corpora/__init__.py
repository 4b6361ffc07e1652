"""One module per corpus: `recordings(root) -> CorpusListing`, optionally `download(folder)`.

The docstring of a module describes the corpus's irregularities.
"""
