"""The FITS reader, imported when the first FITS file comes; it needs the extra ``fits``."""

from __future__ import annotations

from typing import Any

from galaxy_edge.errors import ImageError
from galaxy_edge.inputs.locks import fork_safe_lock

#: Held while astropy is imported.
_importing = fork_safe_lock()


def fits_reader() -> Any:
    """The module `galaxy_edge.inputs.fits`.

    Raises:
        ImageError: astropy is missing, or cannot start here.
    """
    try:
        # Astropy takes longer to import than everything else here, and many users have no FITS.
        # A thread that comes while another thread's import fails would see half a module.
        with _importing:
            from galaxy_edge.inputs import fits  # noqa: PLC0415 - packagers look for statements

            return fits
    except ModuleNotFoundError as error:
        raise ImageError(
            f"FITS needs {error.name}, which is not installed: pip install 'galaxy-edge[fits]'"
        ) from error
    except OSError as error:
        # Astropy reads its configuration from the home folder, and fails if it may not enter it
        # (the user of a daemon).
        raise ImageError(
            f"FITS needs astropy, which cannot start: {error}; set HOME to a folder that can be "
            "written to"
        ) from error
    except MemoryError:
        raise
    # Versions that do not fit each other raise nearly anything.
    except Exception as error:
        raise ImageError(
            f"FITS needs astropy, which cannot start: {error}; install it again with pip install "
            "--force-reinstall 'galaxy-edge[fits]'"
        ) from error
