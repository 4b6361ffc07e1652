"""numba's compiled functions: where they are cached, who may compile, and a line for the user meanwhile."""
