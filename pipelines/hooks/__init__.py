"""Sources of webhooks: one file each, and the list of those that are set up here."""
