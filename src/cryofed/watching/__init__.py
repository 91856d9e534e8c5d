"""Select beside a running microscope: each 2D classification once, as it finishes."""
