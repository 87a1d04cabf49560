"""Where decisions go that nobody asked for."""
