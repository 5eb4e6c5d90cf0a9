"""``python -m recordkit`` and the console script run the command line."""

from recordkit.cli.startup import collector_paused


def main() -> None:
    """Run the `recordkit` command."""
    with collector_paused():
        from recordkit.cli.main import main
    main()


if __name__ == "__main__":
    main()
