"""Watch a campaign: a page that reads round reports and nothing else."""
