"""A lending library: FastAPI on dal."""
