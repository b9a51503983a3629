"""The command `gwproactor`: parses what was typed and calls what does it.

Whatever is wrong with a call is said in one line on standard error, with exit status 2; and what a
node has failed over, with exit status 1.
"""

import sys
from collections.abc import Sequence

from gwproactor.cli.streams import drop_output
from gwproactor.errors import ProactorFailedError, StoreError, UsageError
from gwproactor.extras import EXTRA_OF, how_to_install


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        arguments: What follows the program's name; the process's own when not given.
    """
    try:
        from gwproactor.cli import commands

        return commands.run(arguments)
    except (UsageError, StoreError) as error:
        return _refuse(str(error))
    except ProactorFailedError as error:
        return _refuse(str(error), status=1)
    except BrokenPipeError:
        drop_output()
        return 0
    except ModuleNotFoundError as missing:
        if missing.name not in EXTRA_OF:
            raise
        return _refuse(f"{missing.name} is missing: {how_to_install(missing.name)}")


def _refuse(message: str, status: int = 2) -> int:
    if sys.stderr is not None:  # as it is where the shell's `2>&-` closed it
        sys.stderr.write(f"gwproactor: {' '.join(message.split())}\n")
    return status
