"""Many runs as one: a study's plan, its queue, and the worker that trains it."""
