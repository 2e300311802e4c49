"""The tab Explore: sliders along directions, and random noise. Both moves are operators."""
