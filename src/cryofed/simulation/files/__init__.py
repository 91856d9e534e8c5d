"""A simulated job as a program leaves it on disk: RELION's and CryoSPARC's files."""
