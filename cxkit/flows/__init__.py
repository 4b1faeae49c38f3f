"""The verbs: load, rule, commit, announce. One file per verb.

A verb takes the `Desk` it works with and the scope it happens in. Identifications and consents are
*commands*: interactions that also change the store. They apply to the scope and to the view at
once, go through the spool like everything else, and `apply` commits them on the store's lane.
"""
