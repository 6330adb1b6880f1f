"""How well a model classifies labelled images: measures, intervals, figures and a report.

The measures need scikit-learn and the figures need matplotlib (the extra ``evaluate``). Within the
runtime only the command ``evaluate`` imports this package.
"""
