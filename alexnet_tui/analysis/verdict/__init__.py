"""From the groups of a plan to a verdict on each claim."""
