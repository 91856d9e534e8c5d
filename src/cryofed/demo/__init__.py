"""The whole story on one machine: simulated sites, harvest, federation, gate, selection, a report."""
