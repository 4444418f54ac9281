"""2D keypoint sequences to 3D skeletons in space and time."""
