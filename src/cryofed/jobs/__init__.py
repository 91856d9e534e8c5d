"""A finished 2D classification, read from disk."""

from cryofed.jobs.job import ClassJob, ClassTable
from cryofed.jobs.opening import open_job

__all__ = ["ClassJob", "ClassTable", "open_job"]
