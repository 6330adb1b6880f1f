"""Makes ``python -m galaxy_edge`` the same as the command ``galaxy-edge``."""

from galaxy_edge.cli import script

script()
