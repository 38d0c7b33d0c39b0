"""What can go wrong with remote desktops, in the words of those who read it."""

from lucid_kit.errors import DomainError, LimitExceeded, NotFound, SystemFault


class ServerUnknown(NotFound):
    """There is no such server."""

    code = "LUCID_ERR_1741"
    advice = "GET /rdp/servers lists those there are."


class PortsExhausted(LimitExceeded):
    """Every port of the range is in use."""

    code = "LUCID_ERR_3741"
    advice = "Delete servers that are no longer needed, or widen LUCID_RDP_FIRST_PORT to LUCID_RDP_LAST_PORT."


class SessionHasServer(DomainError):
    """The session has a server already."""

    code = "LUCID_ERR_4741"
    advice = "Use the server that `facts` names, or delete it first."


class NotRunning(DomainError):
    """The server does not run."""

    code = "LUCID_ERR_4742"
    advice = "Start it with POST /rdp/servers/{id}/start, or create another."


class StillRunning(DomainError):
    """The server runs already."""

    code = "LUCID_ERR_4743"
    advice = "Stop it first, or use restart."


class ServiceStopped(DomainError):
    """No server is started at present: the service was stopped on purpose."""

    code = "LUCID_ERR_4744"
    advice = "Start it again with POST /xrdp/service/start."


class ProgramsMissing(SystemFault):
    """Programs that a remote desktop needs are not installed."""

    code = "LUCID_ERR_5741"
    status = 503
    advice = "Install them: apt-get install xrdp xorgxrdp openbox xterm"


class DesktopNotStarted(SystemFault):
    """The session's processes did not come up."""

    code = "LUCID_ERR_5742"
    status = 503
    advice = "The detail says which one and what it wrote last. `lucid doctor` checks the machine."


class RootNeeded(SystemFault):
    """The server manager may not make namespaces and users."""

    code = "LUCID_ERR_5743"
    advice = (
        "Run it as root, or with CAP_SYS_ADMIN, CAP_SETUID, CAP_SETGID, CAP_CHOWN, CAP_KILL and CAP_SETPCAP."
    )
