"""What ``cxkit doctor`` looks at, and what ``config check`` and ``stats`` have in common with it.

Each check is given what was examined and yields findings. None of them changes anything, needs a
sound configuration, or tells anything of a person.

``finding``        one finding, and how it is shown     ``delivery``  the account, exporters, dead letters, reasons
``configuration``  settings, plugins, exporters         ``consent``   what is withheld, and why
``directory``      keys, files, disk, store, clock
"""

from __future__ import annotations
