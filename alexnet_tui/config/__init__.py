"""What is trained: hyperparameters, the network's architecture, named variants and protocols, all as data."""
