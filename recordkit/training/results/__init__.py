"""Results of a training: scores, reports, logs, files and pictures."""
