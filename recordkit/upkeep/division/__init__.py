"""Dividing the samples of a dataset into parts: by ratios, by keys, by size."""

from recordkit.upkeep.division.rules import Division, KeyParts, Ratios, Shards

__all__ = ["Division", "KeyParts", "Ratios", "Shards"]
