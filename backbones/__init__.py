"""Transformer blocks and adapters that point clouds and lifting share."""
