"""``galaxy-edge serve``: verdicts over HTTP, and a page for people (the extra ``serve``).

A request becomes sources, which wait in one line. Scorers, one a thread, take whatever is waiting
as one batch, and hand each prediction to the request that it belongs to.
"""
