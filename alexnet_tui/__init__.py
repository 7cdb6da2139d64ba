"""A terminal experiment console that reproduces a reproducibility report on AlexNet."""

__version__ = "0.1.0"
