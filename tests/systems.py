"""Marks of tests that need a certain operating system."""

from __future__ import annotations

import sys

import pytest

#: Pipes with names, signals between processes, bash, pseudo-terminals, links to devices.
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX system")
#: What only the kernel of Linux has.
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux (/proc, /dev/full, ulimit)")
