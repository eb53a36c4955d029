"""What dal promises, attacked."""
