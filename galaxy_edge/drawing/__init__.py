"""Pictures that the project draws: synthetic galaxies and contact sheets."""
