"""Nothing here: the function is in another script."""
