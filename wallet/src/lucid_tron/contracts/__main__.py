"""``python -m lucid_tron.contracts``"""

import sys

from lucid_tron.contracts.cli import main

sys.exit(main())
