"""Making a trained network smaller: ``galaxy-edge train --slim``."""
