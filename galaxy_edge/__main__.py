"""``python -m galaxy_edge`` is ``galaxy-edge``."""

from galaxy_edge.cli import script

script()
