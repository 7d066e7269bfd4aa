"""Training of a generative audio model on a small folder of sounds; knows no screen."""
