"""The tab Train: the form of a run, the list of runs, and the curves of those that are watched.

What a form describes and what a run has told are in `session.runs`; the runs themselves are in `latentlab.runs`.
"""
