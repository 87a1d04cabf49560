"""Decisions as HTML: a page that explains one, and the block that a mail may hold."""
