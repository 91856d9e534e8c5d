"""What is told of a campaign: its report, contributions, tracking, plans side by side."""
