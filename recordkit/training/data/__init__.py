"""Data of a training: the survey of a file, its batches, the targets, and folders that are packed first."""
