"""A model in use: whether its images, its answers and its errors are still those of the reference."""
