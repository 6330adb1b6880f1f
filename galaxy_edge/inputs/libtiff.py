"""Keep libtiff, which Pillow uses for compressed TIFFs, from printing its own lines on stderr.

Its lines do not name the file, and the row of the image has the reason. Redirecting stderr is no
way out: all threads share it.
"""

from __future__ import annotations

import ctypes
from functools import cache

from PIL import _imaging


@cache
def silence() -> None:
    """Switch off the messages of Pillow's libtiff, for the whole process.

    libtiff has one handler for errors and one for warnings; without a handler it prints nothing.
    Where the functions cannot be found (Pillow for Windows hides them), it goes on printing.
    """
    try:
        # Functions are also searched for in the libraries that this one is linked with. The library
        # is loaded already, so this is the copy of libtiff that Pillow calls.
        library = ctypes.CDLL(_imaging.__file__)
        handlers = [library.TIFFSetErrorHandler, library.TIFFSetWarningHandler]
    except (AttributeError, ImportError, OSError):
        return
    for handler in handlers:
        handler.argtypes = [ctypes.c_void_p]
        handler.restype = ctypes.c_void_p
        handler(None)
