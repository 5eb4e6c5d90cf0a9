"""Samples become batches here: the loader, its two engines, and the memory of the batches."""
