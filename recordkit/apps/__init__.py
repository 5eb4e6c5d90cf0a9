"""Programs: the only layer that prints, parses arguments or reads the environment."""
