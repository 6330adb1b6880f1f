"""Many images in one file or store: tables, archives, arrays, mosaics."""
