"""The families: each makes fakes in its own way, all with one interface."""

from __future__ import annotations

from galaxy_edge_train.synthesis.fakes.disturbance import Disturbance
from galaxy_edge_train.synthesis.fakes.family import Family, Reals
from galaxy_edge_train.synthesis.fakes.reconstruction import Reconstruction
from galaxy_edge_train.synthesis.fakes.samples import Renoised, Samples

__all__ = ["FAMILIES", "Family", "Reals"]

#: `galaxy_edge_train.families.FAMILY_NAMES` repeats the names.
FAMILIES: dict[str, type[Family]] = {
    "vae": Samples,
    "gan": Samples,
    "diffusion": Samples,
    "reconstruction": Reconstruction,
    "disturbance": Disturbance,
    "renoised": Renoised,
}
