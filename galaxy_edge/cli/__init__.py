"""The command line: one file a command, and one boundary that turns errors into exit codes."""

from galaxy_edge.cli.main import main

__all__ = ["main"]
