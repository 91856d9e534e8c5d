"""What both sides agree on: the plan, its engine, the rules of the guards, and a site's own policy."""
