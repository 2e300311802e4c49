"""The stage: what is always in sight of the current move, and the panel of details under it.

Pictures and numbers (`view`), the strip below them, the plot of the path, and what can be taken away. What only one tab
shows belongs in that tab's folder; what is computed for it belongs in `session`.
"""
