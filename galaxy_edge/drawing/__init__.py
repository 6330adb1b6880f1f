"""Pictures that the project draws: made-up galaxies and contact sheets."""
