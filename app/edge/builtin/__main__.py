"""`python -m app.edge.builtin [CACHE_DIR [NAME]]` fetches and converts a builtin model ahead of time (`make setup`, the container image)."""

import sys
from pathlib import Path

from app.core.errors import ConfigError
from app.edge.builtin.cache import default_cache_dir, ensure_builtin
from app.edge.builtin.models import BUILTIN, BUILTINS


def main(arguments: list[str]) -> str:
    """The folder of a converted model. Raises ConfigError: it cannot be made, there is no such builtin model, or these are no such arguments."""
    # There are no options: without this, `--help` would become the name of a folder.
    if len(arguments) > 2 or any(argument.startswith("-") for argument in arguments):  # noqa: PLR2004
        raise ConfigError("usage: python -m app.edge.builtin [CACHE_DIR [NAME]]")
    cache_dir = Path(arguments[0]) if arguments else default_cache_dir()
    name = arguments[1] if len(arguments) > 1 else BUILTIN
    if name not in BUILTINS:
        raise ConfigError(f"'{name}' is not a builtin model; there are {', '.join(BUILTINS)}")
    return str(ensure_builtin(cache_dir, BUILTINS[name].weights))


if __name__ == "__main__":
    try:
        sys.stdout.write(main(sys.argv[1:]) + "\n")
    except ConfigError as error:
        sys.stderr.write(f"foggate: {error.message}\n")
        sys.exit(2)
