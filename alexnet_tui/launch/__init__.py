"""From a prepared run directory to a running command; one module for each place it may run in."""
