"""Runs as a visitor begins and watches them: the run that a view describes, its progress, a comparison's table.

Queue, processes and files of the runs are in `latentlab.runs`; nothing here starts or stops one.
"""
