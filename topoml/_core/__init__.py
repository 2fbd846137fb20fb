"""Floor 0: errors, argument checks, optional imports."""
