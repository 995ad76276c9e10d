"""Verification: whether what the log holds is what it wrote, found out from the rows alone.

`verify` has two passes made, each in constant memory. By position (`order`): nothing is missing, and the Merkle tree
over all hashes is the one that the head and every published checkpoint speak of. By case (`cases`): each event agrees
with itself and with its hash (`rows`), it is chained to the one before it, and the projection is the fold of them all;
cases can be checked beside each other (`processes`). What only the outside can know (whether the whole log was
rewritten with its checkpoints, or its tail cut off together with the head) takes what is kept there (`kept_outside`).

The reasons of findings are stable; programs match them.
"""
