"""A page in the browser on which the rows of a run are looked at and labelled."""
