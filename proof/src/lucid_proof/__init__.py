"""What can be proved of a recording: trees, checkpoints, records, bundles, and the verdict over them.

This package never trusts what it reads, never needs a network to judge a bundle, and imports nothing but
`cryptography` and the standard library. The formats are docs/specs/.
"""

from lucid_proof.report import Finding, Report, Verdict, Window
from lucid_proof.trust import TrustPolicy
from lucid_proof.verifier import verify

__all__ = ["Finding", "Report", "TrustPolicy", "Verdict", "Window", "verify"]
