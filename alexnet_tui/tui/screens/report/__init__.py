"""The Report screen: our table beside the published one, claims and curves."""
