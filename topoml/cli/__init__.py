"""The command line: one verb a file, parse, one library call, print."""

from .main import main

__all__ = ["main"]
