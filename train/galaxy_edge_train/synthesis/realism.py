"""How realistic the fakes look: numbers, a figure and a contact sheet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from scipy import stats

from galaxy_edge.drawing.sheet import contact_sheet
from galaxy_edge.files import replacing, write_text
from galaxy_edge.inputs.images import Pixels
from galaxy_edge.inputs.listing import images_below
from galaxy_edge_train.synthesis import measures
from galaxy_edge_train.synthesis.measures import Numbers

#: Maximum number of images of each kind: measured, and shown on the contact sheet.
_MEASURED = 1000
_SHOWN = 12
#: Side of an image on the contact sheet, pixels.
_TILE = 128
_COLOURS = {
    "vae": "#c8553d", "gan": "#588157", "diffusion": "#7b5ea7",
    "reconstruction": "#d9a441", "disturbance": "#3a9e9e", "renoised": "#c77dac",
}  # fmt: skip


def report(data: Path) -> None:
    """Compare the fakes of the validation split with its reals, which no generator has seen.

    Args:
        data: the data set, with ``Valid/Real/SOURCE``, ``Valid/Fake/FAMILY/SOURCE`` and
            ``Train/Real/SOURCE``. The reals of the training split are compared as well: no
            generator can be expected to come closer than two splits of the same sky.

    Writes ``realism.json``, ``realism.png`` and ``contact_sheet.png`` into ``data``.
    """
    valid = _images(data / "Valid" / "Real")
    kinds = {"real, training split": _images(data / "Train" / "Real")} | {
        folder.name: _images(folder) for folder in sorted((data / "Valid" / "Fake").iterdir())
    }
    reference = _Measurements(valid)
    measured = {name: _Measurements(images) for name, images in kinds.items()}
    document = {
        "images": {"real, validation split": len(valid)}
        | {name: len(images) for name, images in kinds.items()},
        "against the real validation split": {
            name: each.differences_from(reference) for name, each in measured.items()
        },
    }
    write_text(data / "realism.json", json.dumps(document, indent=1) + "\n")
    _draw(data / "realism.png", {"real, validation split": reference} | measured)
    _sheet(data / "contact_sheet.png", data / "Valid")


class _Measurements:
    """The measures of one kind of images."""

    def __init__(self, images: Pixels) -> None:
        light = measures.luminance(images)
        self.spectrum = measures.power_spectra(light).mean(axis=0)
        self.profile = measures.radial_profiles(light).mean(axis=0)
        self.colours = measures.colours(images)
        concentrations = measures.concentrations(light)
        self.concentrations = concentrations[np.isfinite(concentrations)]

    def differences_from(self, other: _Measurements) -> dict[str, Any]:
        """Differences from another kind of images.

        Returns:
            The power spectrum: root mean square, over frequencies, of log10 of the ratio of mean
            powers. The radial profile: root mean square, over radii, of the difference of mean
            light, 0 to 1. All others: Kolmogorov-Smirnov statistics, from 0 for equal
            distributions to 1 for disjoint ones, or None if a kind has no image with the measure.
        """
        floor = 1e-12
        ratio = np.log10((self.spectrum + floor) / (other.spectrum + floor))
        return {
            "power_spectrum_log10": _rms(ratio),
            "radial_profile": _rms(self.profile - other.profile),
            "red_green": _ks_statistic(self.colours[:, 0], other.colours[:, 0]),
            "green_blue": _ks_statistic(self.colours[:, 1], other.colours[:, 1]),
            "concentration": _ks_statistic(self.concentrations, other.concentrations),
        }


def _rms(values: Numbers) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _ks_statistic(some: Numbers, others: Numbers) -> float | None:
    if not (len(some) and len(others)):
        return None
    return float(stats.ks_2samp(some, others).statistic)


def _images(folder: Path) -> Pixels:
    files = images_below(folder)
    # Spread over the whole list, as the files of one source are consecutive.
    chosen = np.linspace(0, len(files) - 1, min(len(files), _MEASURED)).astype(int)
    return np.stack([_open(files[i]) for i in chosen])


def _open(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image)


def _draw(path: Path, kinds: dict[str, _Measurements]) -> None:
    figure = Figure(figsize=(11, 7), layout="constrained")
    (spectra, profiles, light), (red, blue, legend) = figure.subplots(2, 3)
    for name, each in kinds.items():
        real = name.startswith("real")
        style: dict[str, Any] = {
            "label": name,
            "color": "#222222" if real else _COLOURS.get(name, "#3b6ea5"),
            "ls": "--" if name == "real, training split" else "-",
            "lw": 1.4,
        }
        spectra.plot(np.arange(1, len(each.spectrum) + 1), each.spectrum, **style)
        profiles.plot(np.arange(len(each.profile)), each.profile, **style)
        for axes, values, (low, high) in (
            (light, each.concentrations, (0.0, 6.0)),
            (red, each.colours[:, 0], (-1.5, 1.5)),
            (blue, each.colours[:, 1], (-1.5, 1.5)),
        ):
            shown = np.clip(values, low, high)  # values beyond the limits go to the outermost bars
            axes.hist(shown, np.linspace(low, high, 41), density=True, histtype="step", **style)
    spectra.set(
        title="Radial power spectrum", xlabel="cycles per image", xscale="log", yscale="log"
    )
    profiles.set(title="Radial profile", xlabel="radius, pixels", ylabel="mean light, 0 to 1")
    light.set(title="Concentration", xlabel="5 log10(r80 / r20)")
    red.set(title="Colour", xlabel="red - green, mag as displayed")
    blue.set(title="Colour", xlabel="green - blue, mag as displayed")
    legend.axis("off")
    legend.legend(*spectra.get_legend_handles_labels(), loc="center", frameon=False)
    for axes in (spectra, profiles, light, red, blue):
        axes.grid(alpha=0.3)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _sheet(path: Path, valid: Path) -> None:
    """Rows of images: the reals of each source, then the fakes of each family and source."""
    folders = sorted((valid / "Real").iterdir())
    folders += [
        s for family in sorted((valid / "Fake").iterdir()) for s in sorted(family.iterdir())
    ]
    images, captions = [], []
    for folder in folders:
        row = [Image.fromarray(_open(file)) for file in images_below(folder)[:_SHOWN]]
        # A short row is filled up with black.
        images += row + [Image.new("RGB", (1, 1))] * (_SHOWN - len(row))
        captions += [folder.relative_to(valid).as_posix()] * len(row) + [""] * (_SHOWN - len(row))
    with replacing(path) as temporary:
        contact_sheet(images, captions, columns=_SHOWN, tile=_TILE).save(temporary)
