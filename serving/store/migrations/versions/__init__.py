"""One file per release that changed the tables; schema.REVISIONS names them in their order."""
