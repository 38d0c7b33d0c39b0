"""Lucid's own contracts as they were compiled: ABI, bytecode and digests, and how to deploy and verify them.

The sources and the pinned compiler are in wallet/contracts/; a test compiles them again and compares.
"""

from lucid_tron.contracts.artefacts import Artefact, artefact

__all__ = ["Artefact", "artefact"]
