"""``python -m recordkit`` and the console script run the command line."""

from recordkit.cli.startup import as_program, collector_paused


def main() -> None:
    """Run the `recordkit` command."""
    with as_program():
        with collector_paused():
            from recordkit.cli.main import main
        main()


if __name__ == "__main__":
    main()
