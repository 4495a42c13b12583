"""An independent model of one account: its contacts after items and REST changes that are applied one by one.

Written from docs/reference. It imports nothing of the api, the worker or the storage, so a mistake of theirs
is not a mistake of the model.
"""
