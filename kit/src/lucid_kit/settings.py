"""What can be configured, read once at start from arguments and environment, and frozen from then on."""

import difflib
import os
from typing import Any, Self

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from lucid_kit.errors import SystemFault


class SettingsInvalid(SystemFault):
    """A setting has a value that cannot be used."""

    code = "LUCID_ERR_5001"
    advice = "Correct the settings that are named and start again."


class Settings(BaseSettings):
    """Base of every cluster's settings.

    A cluster sets its prefix by `model_config = SettingsConfigDict(env_prefix="LUCID_SESSIONS_")` and
    declares its fields with unit and default. `load` makes one; a name that no field has is an error, not
    a surprise.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="LUCID_", hide_input_in_errors=True
    )

    @classmethod
    def load(cls, **values: Any) -> Self:
        """Read the settings: `values` first, then the environment, then the defaults.

        Raises
        ------
        SettingsInvalid
            Naming each environment variable or argument that is wrong. Values are not repeated: they may
            be secret.
        """
        prefix = str(cls.model_config.get("env_prefix", ""))
        known = {f"{prefix}{name}".upper() for name in cls.model_fields}
        wrong: dict[str, str] = {}
        # A prefix of the whole product also has names of other clusters: only a cluster's own can be checked.
        if prefix.rstrip("_").count("_") >= 1:
            for name in os.environ:
                if name.upper().startswith(prefix.upper()) and name.upper() not in known and "__" not in name:
                    near = difflib.get_close_matches(name.upper(), sorted(known), n=1)
                    wrong[name] = "is not a setting" + (f"; did you mean {near[0]}?" if near else "")
        try:
            settings = cls(**values)
        except ValidationError as error:
            for fault in error.errors(include_input=False, include_url=False, include_context=False):
                field = ".".join(str(part) for part in fault["loc"]) or cls.__name__
                wrong[field if field in values else f"{prefix}{field}".upper()] = fault["msg"]
            raise _invalid(wrong) from None
        if wrong:
            raise _invalid(wrong)
        return settings


def _invalid(wrong: dict[str, str]) -> SettingsInvalid:
    lines = "; ".join(f"{name}: {what}" for name, what in sorted(wrong.items()))
    return SettingsInvalid(f"Settings cannot be used: {lines}", settings=wrong)
