"""``python -m lucid_tron.devnet``"""

import sys

from lucid_tron.devnet.cli import main

sys.exit(main())
