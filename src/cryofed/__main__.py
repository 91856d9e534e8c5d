"""`python -m cryofed` is the command `cryofed`."""

import sys

from cryofed.cli.main import main

sys.exit(main())
