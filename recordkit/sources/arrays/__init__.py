"""Images and labels as two arrays, in memory or in CIFAR's files; `recordkit.sources.mnist` has those of MNIST."""

from recordkit.sources.arrays.cifar import open_cifar
from recordkit.sources.arrays.memory import array_source
from recordkit.sources.arrays.source import ArraySource

__all__ = ["ArraySource", "array_source", "open_cifar"]
