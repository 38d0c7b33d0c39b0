"""What can go wrong between us and the nodes."""

from lucid_kit.errors import DomainError, SystemFault, Unavailable


class NodeUnavailable(Unavailable):
    """A node does not answer, or not in a way one could read."""

    code = "LUCID_ERR_5701"
    advice = "Nothing to do if others answer; otherwise check the node's address and the network."


class NodeBusy(NodeUnavailable):
    """A node has no capacity for us now (429, 403, 503 or SERVER_BUSY)."""

    code = "LUCID_ERR_5702"
    advice = "Wait; for TronGrid give an API key or lower the request rate."


class MalformedAnswer(NodeUnavailable):
    """A node's answer is not what its API says."""

    code = "LUCID_ERR_5703"
    advice = "Check that the address is that of a TRON full node's HTTP API, and take it out if it persists."


class WrongNetwork(NodeUnavailable):
    """A node belongs to another network than the profile says."""

    code = "LUCID_ERR_5704"
    advice = "Correct the node's address or the profile; a payout on the wrong network cannot be taken back."


class NoHealthyNode(Unavailable):
    """No node of the pool answers."""

    code = "LUCID_ERR_5705"
    advice = "See `facts` for what each node said; add nodes or wait."


class TooFewNodes(Unavailable):
    """Fewer nodes answer than must agree before money moves."""

    code = "LUCID_ERR_5706"
    advice = "Bring a second node back or configure another; never lower the quorum outside of a devnet."


class NodesDisagree(Unavailable):
    """The nodes contradict each other, so nothing was decided."""

    code = "LUCID_ERR_5707"
    advice = "Wait if one is behind; if it persists one is faulty or lying: compare them with a third."


class NodeRefused(DomainError):
    """A node understood the question and refuses it."""

    code = "LUCID_ERR_4701"
    advice = "Read what the node says in `detail`; the request itself must change."


class CallReverted(DomainError):
    """The contract reverts this call, so it was not sent."""

    code = "LUCID_ERR_4702"
    advice = "Read the reason in `facts`: balance, allowance, pause, blacklist or caps of the contract."


class MissingChainParameter(SystemFault):
    """A node does not state a parameter of its chain that a fee depends on."""

    code = "LUCID_ERR_5708"
    advice = "Use a node of a current version; fees are never guessed."
