"""The tab Toy room: sets in the plane. They and their models are in `latentlab.toys`."""
