"""The machine a run trains on: device and precision, its load, and training that became slow."""
