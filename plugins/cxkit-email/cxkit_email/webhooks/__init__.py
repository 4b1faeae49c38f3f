"""The back channel: what providers say of messages, believed only where they prove that it is they who say it.

``schemes`` how each of them signs, as data; ``verify`` whether a request is signed so; ``sns`` the same of Amazon's
notifications; ``providers`` what each of them tells, in our words; ``inlet`` the endpoints; ``settings`` the table.
"""

from __future__ import annotations
