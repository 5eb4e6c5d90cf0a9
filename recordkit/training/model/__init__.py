"""Models: networks, their output layers and targets, trained models and their outputs."""
