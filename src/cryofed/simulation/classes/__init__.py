"""The classes of one job: which there are, their averages, what is true of them, how experts label them."""
