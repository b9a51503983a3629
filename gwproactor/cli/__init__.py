"""The command `gwproactor`: parses what was typed and calls what does it.

Whatever is wrong with a call is said in one line on standard error, with exit status 2.
"""

import sys
from collections.abc import Sequence

from gwproactor.errors import SettingsError, StoreError, UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        arguments: What follows the program's name; the process's own when not given.
    """
    try:
        from gwproactor.cli import commands
    except ModuleNotFoundError as missing:
        return _refuse(f"{missing.name} is missing: pip install 'gwproactor[cli]'")
    try:
        return commands.run(arguments)
    except commands.WrongUsageError as error:
        return _refuse(str(error))
    except (SettingsError, UsageError, StoreError) as error:
        return _refuse(str(error))


def _refuse(message: str) -> int:
    sys.stderr.write(f"gwproactor: {' '.join(message.split())}\n")
    return 2
