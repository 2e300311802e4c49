"""How networks learn: one loop of updates for every network, and what a fit or a training run needs around it.

`fitters` holds what is peculiar to a kind of network, `augmented` the training of a classifier with the moves of the
page. Nothing here knows of the queue of runs, of a store or of the page; `latentlab.runs` and `latentlab.cli` call it.
"""
