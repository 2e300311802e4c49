"""The tab Explain: heat maps of what the classifier looks at. The methods are in `latentlab.explainers`."""
