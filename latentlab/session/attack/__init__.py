"""An attack on the picture in hand: step by step (`trace`), and over many pictures (`success_curve`).

The attack itself is an operator; here it is run for a visitor, beside its control in pixels. Figures are the page's.
"""
