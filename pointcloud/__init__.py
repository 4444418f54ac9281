"""Point-cloud classification on a CPU with 3D Gaussian point encoders."""
