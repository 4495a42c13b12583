"""The options of the supervisor."""

import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from embedded.supervisor.demo_account import EnsureDemoKey, ensure_demo_key
from schemas.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
INSTALLED = Path(sysconfig.get_path("data")) / "share" / "bulklane"  # where a wheel puts the same files
FILES = REPOSITORY if (REPOSITORY / "Procfile").exists() else INSTALLED


class SupervisorError(Exception):
    """The start failed, and nothing runs any more. The message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of one service on one machine. A URL replaces the embedded server."""

    home: Path
    host: str
    port: int  # 0: any free port
    database_url: str | None
    redis_url: str | None
    workers: int
    operator_key: str | None = None  # None: that of the last start, or a new one
    demo: bool = True  # make a demo account and its key
    sample: bool = False  # submit examples/contacts.csv once everything is ready, as the demo account
    verbose: bool = False  # print the logs of all processes
    procfile: Path = FILES / "Procfile"
    ensure_demo_key: EnsureDemoKey = ensure_demo_key

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        workers: int,
        demo: bool | None,
        sample: bool,
        verbose: bool,
        procfile: Path | None = None,
    ) -> Self:
        """Return the options from the settings and the command line.

        Without `demo` there is a demo account in the embedded database, and none in a database of the user.
        """
        return cls(
            home=settings.bulklane_home,
            host=settings.host,
            port=settings.port,
            database_url=settings.database_url,
            redis_url=settings.redis_url,
            workers=workers,
            operator_key=settings.operator_key,
            demo=settings.database_url is None if demo is None else demo,
            sample=sample,
            verbose=verbose,
            procfile=procfile.absolute() if procfile else FILES / "Procfile",
        )
