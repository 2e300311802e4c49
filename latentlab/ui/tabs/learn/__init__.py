"""The tab Learn: the lessons as a visitor sees them. Questions and experiments are in `session.lessons`."""
