"""The tab Audit: what the current move, and others beside it, do to many images."""
