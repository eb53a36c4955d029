"""PostgreSQL in Docker, by testcontainers: for one session, or kept for the next ones. Needs the extra `testing`."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import URL

from dal.errors import ConfigError, extra_needed
from dal.testing.embedded import UNSAFE_SETTINGS

IMAGE_VARIABLE: Final = "DAL_POSTGRES_IMAGE"
DEFAULT_IMAGE: Final = "postgres:latest"
_INSTEAD: Final = "use an embedded server or a URL instead: --postgres=embedded, --postgres=postgresql://..."
_PATIENCE_S: Final = 60.0
_PORT: Final = 5432
# Of a kept container, which listens on loopback only.
_USER: Final = "postgres"
_PASSWORD: Final = "dal"  # noqa: S105 # guards a server without data of worth


@contextmanager
def container_url(image: str | None = None) -> Generator[URL]:
    """Run *image*, or that of `DAL_POSTGRES_IMAGE`, or the newest PostgreSQL, while the block runs; takes seconds.

    Its data is in memory, where databases are made in a tenth of the time. Raises `ConfigError` when no Docker engine
    answers, or it does not have the image and cannot get it.
    """
    with extra_needed("testing"):
        from testcontainers.community.postgres import PostgresContainer
    image = image or _image()
    with _naming_failures(image):
        container = PostgresContainer(image, username=_USER).with_command(_command())
        container.with_tmpfs_mount(_data_folder(container.get_docker_client().client, image)).start()
    try:
        yield _url(container.get_container_host_ip(), container.get_exposed_port(_PORT), container.password)
    finally:
        container.stop()


def kept_container_url(name: str) -> URL:
    """Give the server in the container *name*, started now if it does not run; nobody stops it.

    It runs the image of `DAL_POSTGRES_IMAGE`, or the newest PostgreSQL, as long as Docker does. Raises as
    `container_url` does, and when the server in it does not answer within a minute.
    """
    with extra_needed("testing"):
        from docker.errors import NotFound
        from testcontainers.core.docker_client import DockerClient
    with _naming_failures(_image()):
        docker = DockerClient()
        try:
            container = docker.client.containers.get(name)
            container.start()
        except NotFound:
            # Not by testcontainers, whose reaper would stop it with this session.
            container = docker.client.containers.run(
                _image(),
                _command(),
                detach=True,
                name=name,
                environment={"POSTGRES_USER": _USER, "POSTGRES_PASSWORD": _PASSWORD},
                ports={f"{_PORT}/tcp": ("127.0.0.1", 0)},
                tmpfs={_data_folder(docker.client, _image()): "rw"},
            )
    _wait_until_ready(container, name)
    container.reload()
    ports: Any = container.ports
    return _url("127.0.0.1", ports[f"{_PORT}/tcp"][0]["HostPort"], _PASSWORD)


def _wait_until_ready(container: Any, name: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    # By address: while the image sets itself up, its server listens on the socket alone.
    while container.exec_run(["pg_isready", "-h", "127.0.0.1"]).exit_code != 0:
        if time.monotonic() > deadline:
            raise ConfigError(f"PostgreSQL in the container {name!r} does not answer after {_PATIENCE_S:.0f} s.")
        time.sleep(0.1)


def _data_folder(docker: Any, image: str) -> str:
    """Name the folder where *image* keeps its data: its own word for that, or where images without one do."""
    from docker.errors import ImageNotFound

    try:
        found = docker.images.get(image)
    except ImageNotFound:
        found = docker.images.pull(image)
    environment = dict(line.split("=", 1) for line in found.attrs["Config"].get("Env") or [])
    return str(environment.get("PGDATA", "/var/lib/postgresql/data"))


def _image() -> str:
    return os.environ.get(IMAGE_VARIABLE) or DEFAULT_IMAGE


def _command() -> list[str]:
    return ["postgres", *(word for name, value in UNSAFE_SETTINGS.items() for word in ("-c", f"{name}={value}"))]


def _url(host: str, port: int | str, password: str) -> URL:
    return URL.create(
        "postgresql+asyncpg", username=_USER, password=password, host=host, port=int(port), database=_USER
    )


@contextmanager
def _naming_failures(image: str) -> Generator[None]:
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        # Also of the image of testcontainers' reaper, which TESTCONTAINERS_RYUK_DISABLED=true does without.
        reason = str(error.explanation or error).splitlines()[0].rstrip(".")
        raise ConfigError(f"Docker cannot run {image!r}: {reason}. Set {IMAGE_VARIABLE}, or {_INSTEAD}") from error
    except (DockerException, TimeoutError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise ConfigError(f"no PostgreSQL in Docker: {reason}. Start the engine, or {_INSTEAD}") from error
