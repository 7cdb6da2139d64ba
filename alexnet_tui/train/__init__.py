"""The trainer: a separate process, and the only place where torch is imported."""
