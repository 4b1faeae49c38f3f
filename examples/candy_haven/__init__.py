"""Candy Haven sells sweets. It recognises its customers, and asks them first.

``touchpoints.py`` declares every place of contact, ``experiences.py`` what adapts there; ``shop.py`` is what
the shop does, in no framework, and ``fronts/`` puts it on the web; ``desk.py`` is where the phone is answered.
``python -m examples.candy_haven.demo`` sends customers through all of it.
"""
