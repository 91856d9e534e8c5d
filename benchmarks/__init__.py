"""Each figure in the README is made here, against the peer it names.

A file of this folder is a benchmark of its name; the rooms hold what several of them use.
"""
