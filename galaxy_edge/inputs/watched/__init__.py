"""A folder that files arrive in: each file is an input as soon as it is complete."""
