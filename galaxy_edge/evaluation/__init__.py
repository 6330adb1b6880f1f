"""How well a model tells labelled images apart: measures, intervals, figures, a report.

The measures need scikit-learn and the figures matplotlib, the extra ``evaluate``; the rest of the
runtime imports nothing from here but in the command ``evaluate``.
"""
