"""A small shop for almond sweets that recognises its customers, and asks them first.

``touchpoints.py`` declares every place of contact; ``app.py`` is the shop on the web; ``desk.py`` is
where the phone is answered. ``python -m examples.shop.demo`` sends customers through all of it.
"""
