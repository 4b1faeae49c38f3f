"""Metrics: each one exact definition, one portable SQL text, and the same in Python to judge it by.

All of them read one relation, ``events`` (see `cxkit.rules.measure.events`), whatever holds it: a
table, a view, SQLite, DuckDB, a warehouse. So that every engine gives the same rows, the texts keep
to a subset: a total order and explicit frames in every window, ends found by counting and never by a
NULL of LAG, exact distinct counts, integers only, no division, no functions of dates or texts, no
alias that is a column's name, a final order. Parameters are ``$names``.
"""
