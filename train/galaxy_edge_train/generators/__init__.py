"""Networks that make cutouts: three generative models and small autoencoders."""

from __future__ import annotations

from galaxy_edge_train.generators.diffusion import Diffusion
from galaxy_edge_train.generators.gan import Gan
from galaxy_edge_train.generators.generator import Generator
from galaxy_edge_train.generators.vae import Vae

__all__ = ["GENERATORS", "Diffusion", "Gan", "Generator", "Vae"]

#: The generative models, cheapest first.
GENERATORS: dict[str, type[Generator]] = {"vae": Vae, "gan": Gan, "diffusion": Diffusion}
