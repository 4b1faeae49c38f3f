"""cxkit for Redis and Valkey: the state of all machines in one server's memory.

``store``    what the role asks for                    ``scripts``  what the server does, all or nothing
``trouble``  what can go wrong, in the words of cxkit  ``settings`` what the operator says
"""

from __future__ import annotations

from cxkit_redis.settings import Settings
from cxkit_redis.store import FACTORY, RedisStore

__all__ = ["FACTORY", "RedisStore", "Settings"]
