"""How each fault is done."""
