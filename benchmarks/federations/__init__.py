"""Small simulated federations: sites, attackers, runs kept on disk, tables and plots."""
