"""Where the coordinator types: founds, submits segments, watches over them."""
