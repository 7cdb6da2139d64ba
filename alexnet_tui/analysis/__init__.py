"""From histories to conclusions: metrics, groups of seeds, statistics, claims, and the published numbers."""
