"""How good a model is, and what is wrong with it: measures, detectors and the warnings that are active."""
