"""The paths of the HTTP surface, one file per subject. Time enters here and nowhere below."""
