"""From scores to one decision."""
