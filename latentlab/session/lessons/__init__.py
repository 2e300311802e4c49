"""The lessons: their questions, the experiments that answer them, and the pictures that these look at.

The texts lie in `assets/lessons`; how a lesson looks is the page's matter.
"""
