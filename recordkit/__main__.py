"""``python -m recordkit`` runs the command line."""

from recordkit.cli.main import main

if __name__ == "__main__":
    main()
