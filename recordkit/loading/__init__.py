"""Loading of samples into batches: the loader, its two engines, and the memory of the batches."""
