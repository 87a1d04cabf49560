"""Simulated shops whose truth is known; only the evaluation may look behind their curtain."""
