"""Single particles: their table, their noisy images, and what is true of the classes made of them."""
