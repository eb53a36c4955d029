"""A service at work while everything around it fails, and what must hold after each fault."""
