"""Find out why astropy cannot read a FITS file, in a user's words.

Astropy's own sentences name its internals ("try with ignore_missing_simple=True"), or are those of
a KeyError.
"""

from __future__ import annotations

import re

#: Bytes of a block of a header, and of a card in it.
BLOCK, _CARD = 2880, 80
#: Headers may be long; a fault further in gets the general reason.
_MOST_CARDS = 2000
_BITPIX = ("8", "16", "32", "64", "-32", "-64")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([ED][+-]?\d+)?", re.IGNORECASE)
_WHOLE = re.compile(r"\+?\d+")


def fault(start: bytes) -> str | None:
    """Find a fault in the first header of a file.

    Args:
        start: the first bytes of the file.

    Returns:
        A reason, or None if no fault is found.
    """
    cards = [start[place : place + _CARD] for place in range(0, len(start), _CARD)][:_MOST_CARDS]
    is_header = re.fullmatch(rb"SIMPLE  = +[TF]( */.*| *)", cards[0]) if cards else None
    if not is_header:
        return "not FITS, or damaged: it does not begin with a FITS header"
    for card in cards:
        text = card.decode("ascii", "replace")
        if text.rstrip() == "END":
            return None
        name, value = text[:8].strip(), text[10:].partition("/")[0].strip()
        if text[8:10] == "= " and (expected := _expected(name, value)) is not None:
            return f"damaged: {name} in the header is {value[:20] or 'empty'}, not {expected}"
    return "damaged or truncated: the header does not end"


def _expected(name: str, value: str) -> str | None:
    """What the value should be instead, if it is wrong."""
    if name == "BITPIX" and value not in _BITPIX:
        return f"one of {', '.join(_BITPIX)}"
    if re.fullmatch(r"NAXIS\d*", name) and not _WHOLE.fullmatch(value):
        return "a whole number from 0"
    # Nothing is a valid value for these: the keyword is undefined.
    if name in {"BSCALE", "BZERO", "BLANK"} and value and not _NUMBER.fullmatch(value):
        return "a number; correct or remove it"
    return None
