"""PostgreSQL in Docker, by testcontainers. Needs the extra `testing`."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import URL

from dal.errors import ConfigError, extra_needed
from dal.testing.embedded import UNSAFE_SETTINGS

IMAGE_VARIABLE: Final = "DAL_POSTGRES_IMAGE"
DEFAULT_IMAGE: Final = "postgres:latest"
_INSTEAD: Final = "use an embedded server or a URL instead: --postgres=embedded, --postgres=postgresql://..."


@contextmanager
def container_url(image: str | None = None) -> Generator[URL]:
    """Run *image*, or that of `DAL_POSTGRES_IMAGE`, or the newest PostgreSQL, while the block runs; takes seconds.

    Raises `ConfigError` when no Docker engine answers, or it does not have the image and cannot get it.
    """
    with extra_needed("testing"):
        from docker.errors import DockerException, ImageNotFound
        from testcontainers.community.postgres import PostgresContainer
    image = image or os.environ.get(IMAGE_VARIABLE) or DEFAULT_IMAGE
    try:
        container = PostgresContainer(image, username="postgres").with_command(["postgres", *_options()]).start()
    except ImageNotFound as error:
        raise ConfigError(f"Docker has no image {image!r}; set {IMAGE_VARIABLE}, or {_INSTEAD}") from error
    except (DockerException, TimeoutError) as error:
        raise ConfigError(f"no PostgreSQL in Docker: {_first_line(error)}. Start the engine, or {_INSTEAD}") from error
    try:
        yield URL.create(
            "postgresql+asyncpg",
            username=container.username,
            password=container.password,
            host=container.get_container_host_ip(),
            port=int(container.get_exposed_port(container.port)),
            database=container.dbname,
        )
    finally:
        container.stop()


def _options() -> list[str]:
    return [word for name, value in UNSAFE_SETTINGS.items() for word in ("-c", f"{name}={value}")]


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
