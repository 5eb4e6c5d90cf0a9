"""The files of a dataset on disk: finding those of one set, replacing a set by a new one, and locks."""
