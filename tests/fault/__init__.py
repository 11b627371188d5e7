"""Faults at random, at every point, and for long."""
