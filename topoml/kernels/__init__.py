"""Floor 1: arrays in, arrays out; numba, no checks and no defaults."""
