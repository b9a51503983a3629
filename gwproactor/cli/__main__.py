"""`python -m gwproactor.cli` is the command `gwproactor`."""

import sys

from gwproactor.cli import main

sys.exit(main())
