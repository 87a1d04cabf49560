"""Jobs, the outside world, people; the command line."""
