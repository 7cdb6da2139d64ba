"""The Run screen: one run's curves, numbers, settings and log."""
