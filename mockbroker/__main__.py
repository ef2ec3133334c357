"""`python -m mockbroker` is the command `mockbroker`.

For machines where the scripts folder of the virtual environment is not on the PATH.
"""

import sys

from mockbroker.cli import main

if __name__ == "__main__":
    sys.exit(main())
