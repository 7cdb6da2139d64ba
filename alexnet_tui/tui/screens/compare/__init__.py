"""The Compare screen: curves and numbers of several runs beside each other."""
