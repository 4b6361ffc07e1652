"""Compiled numba functions: the folder of their cache, its lock, and a message while numba compiles."""
