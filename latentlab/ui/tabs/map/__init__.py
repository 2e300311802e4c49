"""The tab Map: its controls, its figure and its numbers. What a map is made of is in `session.map`."""
