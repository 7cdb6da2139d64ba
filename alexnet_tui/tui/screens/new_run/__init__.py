"""The New run screen: a form of hyperparameters, and starting the run."""
