"""Look at class averages, correct the selection, save it."""
