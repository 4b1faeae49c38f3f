"""Settings: one tree of frozen values, and the only place that reads the environment and files.

In order, the first that says something wins: code, ``CXKIT_*`` variables, the file, the default.
There are two phases, as plugins are found only after the core knows which of them may load. `load`
checks what the core owns and leaves the tables of exporters, stores, experiences and plugins raw;
`structure` checks one of those against the class of its owner. Whatever they are given, they raise
`ConfigurationError` and nothing else. `examine` is `load` that goes on, and gathers the errors.

======  ===================================================================
CX1001  a name in the file, the environment or the code is not known
CX1002  the file cannot be read
CX1003  the file is not TOML
CX1004  a ``${NAME}`` in the file cannot be replaced, or is a secret elsewhere
CX1005  a value has the wrong type
CX1006  a value is out of its range, or not among those allowed
CX1007  a setting without a default is missing
CX1008  one setting is given twice, or as a table here and as a value there
CX1009  tables are nested too deep, or a key is not text
CX1010  a secret is too short
CX1011  a setting means nothing beside another
======  ===================================================================

Messages name settings and where they came from, never what they hold.

``sealed``  values that are not shown          ``typed``    a table becomes a value of a class
``tree``    the settings                       ``sources``  the code, the environment, the file
``ranges``  what a value may be                ``client_ip``  those of the client's address
"""

from __future__ import annotations

from cxkit.settings.client_ip import ClientIP
from cxkit.settings.sealed import RawTable, Secret
from cxkit.settings.sources import examine, load
from cxkit.settings.tree import (
    CapTable,
    Consent,
    ExporterTable,
    IdentifierTable,
    Identity,
    Keys,
    Plugins,
    Profile,
    Queue,
    QuietHours,
    Redact,
    Settings,
    Spool,
    StoreTable,
    TopicTable,
    Web,
)
from cxkit.settings.typed import structure

__all__ = [
    "CapTable",
    "ClientIP",
    "Consent",
    "ExporterTable",
    "IdentifierTable",
    "Identity",
    "Keys",
    "Plugins",
    "Profile",
    "Queue",
    "QuietHours",
    "RawTable",
    "Redact",
    "Secret",
    "Settings",
    "Spool",
    "StoreTable",
    "TopicTable",
    "Web",
    "examine",
    "load",
    "structure",
]
