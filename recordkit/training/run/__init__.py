"""A run on disk: the names of its files, its checkpoints, its record, writing them, and how it begins."""
