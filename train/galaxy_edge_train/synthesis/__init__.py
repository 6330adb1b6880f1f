"""From folders of real cutouts to the documented layout of real and synthetic ones."""
