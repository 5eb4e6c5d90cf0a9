"""The files that a training run leaves: log, pictures and figures."""
