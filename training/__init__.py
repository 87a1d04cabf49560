"""From features to something that can score."""
