"""Colour profiles (ICC), built byte by byte: Pillow can make no other than sRGB, XYZ and Lab."""

from __future__ import annotations

import itertools
import struct

import numpy as np

#: Adobe RGB (1998), adapted to the D50 white of profiles.
ADOBE_GAMMA = 563 / 256
ADOBE_TO_XYZ = np.array(
    [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
)
_D50 = (0.9642, 1.0, 0.8249)


def _fixed(*numbers):
    return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)


def _xyz(*numbers):
    return b"XYZ \0\0\0\0" + _fixed(*numbers)


def _curve(gamma):
    return b"curv\0\0\0\0" + struct.pack(">LH", 1, round(gamma * 256)) + b"\0\0"


def profile(space, kind, connection, tags):
    """A profile of version 2.4 with the given tags."""
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">L", len(tags)), b""
    for name, content in tags.items():
        table += struct.pack(">4sLL", name, start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(
        ">L4sL4s4s4s12s4s24xL12s48x",
        start + len(body), b"", 0x02400000, kind, space, connection, bytes(12), b"acsp", 1,
        _fixed(*_D50),
    )  # fmt: skip
    return header + table + body


def rgb_profile(matrix=ADOBE_TO_XYZ, gamma=ADOBE_GAMMA):
    columns = zip((b"rXYZ", b"gXYZ", b"bXYZ"), matrix.T, strict=True)
    tags = {b"wtpt": _xyz(*_D50)} | {name: _xyz(*column) for name, column in columns}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(gamma))
    return profile(b"RGB ", b"mntr", b"XYZ ", tags)


def grey_profile(gamma):
    return profile(b"GRAY", b"mntr", b"XYZ ", {b"wtpt": _xyz(*_D50), b"kTRC": _curve(gamma)})


def cmyk_profile():
    """Cyan, magenta and yellow do nothing; black makes the lightness of Lab smaller."""
    ramp = bytes(range(256))
    grid = b"".join(
        bytes([255 * (1 - black), 128, 128]) for *_, black in itertools.product((0, 1), repeat=4)
    )
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + _fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    lut += ramp * 4 + grid + ramp * 3
    return profile(b"CMYK", b"prtr", b"Lab ", {b"wtpt": _xyz(*_D50), b"A2B0": lut})
