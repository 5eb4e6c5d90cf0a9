# Metadata is in setup.cfg; this file is where the compiled extension will be declared.
from setuptools import setup

setup()
