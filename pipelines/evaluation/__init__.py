"""Policies against each other in simulated worlds, whose truth only this package may know."""
