"""Orders of samples, permutations, batches per rank, and the saved state. Only numbers; no file is opened."""
