"""Is this machine ready? Each check is a function that returns findings; nothing here changes anything."""
