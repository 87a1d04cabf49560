"""One file per verb of the command line, imported only when it is called."""
