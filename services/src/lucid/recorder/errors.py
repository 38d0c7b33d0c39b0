"""Why a recorder gives up. Each reason is the word that a close record can carry."""

from __future__ import annotations

from lucid.recording.errors import RecordingFailed


class DisplayLost(RecordingFailed):
    """The connection to the display ended: the X server died, or somebody killed the recorder's client."""

    code = "LUCID_ERR_5610"
    reason = "display-lost"


class DisplayStalled(RecordingFailed):
    """The display did not answer in time: it hangs, or a program holds it grabbed."""

    code = "LUCID_ERR_5611"
    reason = "display-stalled"


class DisplayRefused(RecordingFailed):
    """The display cannot be recorded: wrong cookie, missing extension, or pixels in another form."""

    code = "LUCID_ERR_5612"
    reason = "display-refused"
    advice = "Check that the X server offers DAMAGE, XFIXES and RANDR, and 24 bits of colour."


class BadCommand(RecordingFailed):
    """The sessions service said something that the recorder does not understand or cannot do now."""

    code = "LUCID_ERR_5613"
    reason = "bad-command"
    advice = "Run recorder and sessions service from the same version of Lucid."


class RecorderFault(RecordingFailed):
    """The recorder met something that it was not written for."""

    code = "LUCID_ERR_5615"
    reason = "recorder-fault"
    advice = "Report kind and place of the error; the recording until then is kept."


class ControlLost(RecordingFailed):
    """The sessions service that started the recorder is gone or no longer listens."""

    code = "LUCID_ERR_5614"
    reason = "control-lost"
