"""What a policy would have brought, from the log of another one that drew what it chose."""
