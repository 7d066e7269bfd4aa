"""The variational autoencoder and its loss."""
