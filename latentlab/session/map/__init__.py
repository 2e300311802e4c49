"""The map: what is shown (`plan`), how it lies in the plane (`layout`), what its colours say, what is drawn over it.

`service` computes all of it in the background. The projections themselves are in `latentlab.projections`, the figure in
`ui.tabs.map`.
"""
