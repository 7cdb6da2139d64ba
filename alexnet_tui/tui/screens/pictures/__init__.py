"""The Pictures screen: two runs beside each other."""
