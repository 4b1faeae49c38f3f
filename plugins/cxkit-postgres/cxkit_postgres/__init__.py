"""cxkit for PostgreSQL: the state of all machines in one database.

``store``     what the role asks for            ``schema``   its tables and functions, and their versions
``link``      connections with a deadline       ``trouble``  what can go wrong, in the words of cxkit
``settings``  what the operator says
"""

from __future__ import annotations

from cxkit_postgres.settings import Settings
from cxkit_postgres.store import FACTORY, PostgresStore

__all__ = ["FACTORY", "PostgresStore", "Settings"]
