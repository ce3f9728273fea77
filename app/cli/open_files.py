"""How many files this process and the servers that it starts may open: each connection is one."""

from app.core.errors import ConfigError

# Libraries, logs, pipes and listeners.
_OTHERS = 64


def allow_open_files(connections: int) -> None:
    """Raise the limit of this process, which its children inherit, so that a server can hold so many connections on either side.

    Raises:
        ConfigError: the system does not allow so many.
    """
    import resource  # not there on Windows, where no server of ours runs

    needed = 2 * connections + _OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ConfigError(f"{connections} connections need {needed} open files, and this process may have {hard} (ulimit -n)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
