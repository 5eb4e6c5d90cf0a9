"""``python -m recordkit`` is the command line."""

from recordkit.apps.cli.main import main

if __name__ == "__main__":
    main()
