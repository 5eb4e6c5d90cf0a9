"""The version, also for setup.cfg; asking the installed metadata for it takes longer than many a command."""

__version__ = "0.1.0"
