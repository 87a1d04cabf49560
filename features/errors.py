"""The errors that Onje raises on purpose, by who must act.

OnjeError
├── DataError       whoever brings the data: a table that breaks its contract, an unreadable file
├── SettingsError   whoever writes onje.toml: an unknown key, an impossible value
├── NotReadyError   whoever runs Onje: something has to be done first (ingest, train, publish)
├── DamagedError    whoever runs Onje: a file is not what its manifest says
└── (serving.store) StoreUnavailable    whoever runs Onje: the database does not answer
"""

from __future__ import annotations


class OnjeError(Exception):
    """An error whose message names the thing, says what was found and what to do."""

    exit_code = 1


class DataError(OnjeError):
    """The data is not what its contract says."""

    exit_code = 10


class SettingsError(OnjeError):
    """The settings cannot be used as they are."""

    exit_code = 11


class NotReadyError(OnjeError):
    """Something has to be done first."""

    exit_code = 12


class DamagedError(OnjeError):
    """A file is not what its manifest says."""

    exit_code = 13
