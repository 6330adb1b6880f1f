"""Sources and destinations in object storage: ``s3://``, ``gs://``, ``az://``, ``https://``."""
