"""CryoFed selects good cryo-EM 2D class averages; its model learns from every lab without taking data."""

__version__ = "0.1.0"
