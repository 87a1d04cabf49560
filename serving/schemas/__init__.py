"""What goes over the wire: requests, answers and the one shape of an error."""
