"""The scripts in tutorials/ are run by test_tutorials.py; they are no modules to search for doctests."""

collect_ignore_glob = ["tutorials/*.py"]
