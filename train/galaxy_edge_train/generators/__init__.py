"""Three families of generative models that learn to make cutouts, behind one interface."""

from __future__ import annotations

from galaxy_edge_train.generators.diffusion import Diffusion
from galaxy_edge_train.generators.gan import Gan
from galaxy_edge_train.generators.generator import Generator
from galaxy_edge_train.generators.vae import Vae

__all__ = ["FAMILIES", "Diffusion", "Gan", "Generator", "Vae"]

#: The families, in the order of their cost.
FAMILIES: dict[str, type[Generator]] = {"vae": Vae, "gan": Gan, "diffusion": Diffusion}
