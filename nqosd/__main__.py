"""`python -m nqosd` is the command `nqosd`."""

import sys

from nqosd.cli import main

sys.exit(main())
