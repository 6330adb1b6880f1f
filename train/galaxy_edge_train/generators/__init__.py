"""Three families of generative models that learn to make cutouts, with one interface."""

from __future__ import annotations

from galaxy_edge_train.generators.diffusion import Diffusion
from galaxy_edge_train.generators.gan import Gan
from galaxy_edge_train.generators.generator import Generator
from galaxy_edge_train.generators.vae import Vae

__all__ = ["FAMILIES", "Diffusion", "Gan", "Generator", "Vae"]

#: The families, cheapest first. `galaxy_edge_train.families.FAMILY_NAMES` repeats the names.
FAMILIES: dict[str, type[Generator]] = {"vae": Vae, "gan": Gan, "diffusion": Diffusion}
