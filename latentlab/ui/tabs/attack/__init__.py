"""The tab Attack: a move against the classifier. What an attack computes is in `session.attack`."""
