"""Sound files, spectrograms and the way back."""
