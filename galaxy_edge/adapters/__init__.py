"""Classification on other engines: a dataset of the engine in, a dataset of rows out."""
