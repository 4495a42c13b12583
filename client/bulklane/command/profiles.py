"""The profiles of `bulklane login`: where a service is, and the keys for it, in a file of the user."""

import json
import os
import stat
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bulklane.command.folders import config_folder, write_private
from bulklane.errors import ConfigurationError

DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A service, the key of an account, and that of the operator."""

    url: str
    key: str | None = field(default=None, repr=False)
    operator_key: str | None = field(default=None, repr=False)


def profiles_file() -> Path:
    """Return the path of the file."""
    return config_folder() / "profiles.json"


def load_profiles() -> dict[str, Profile]:
    """Return the profiles by name. Raises ConfigurationError if others can read the file, or nobody can."""
    path = profiles_file()
    try:
        with path.open(encoding="utf-8") as file:
            if os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise ConfigurationError(f"other users can read the keys in {path}: run chmod 600 {path}")
            return {name: Profile(**values) for name, values in json.load(file).items()}
    except (FileNotFoundError, NotADirectoryError, PermissionError):  # of a user without a home, too
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(
            f"{path} cannot be read: remove it, and run `bulklane login` again"
        ) from error


def save_profiles(profiles: dict[str, Profile]) -> None:
    """Replace the file."""
    content = {name: asdict(profile) for name, profile in sorted(profiles.items())}
    write_private(profiles_file(), json.dumps(content, indent=2) + "\n")
