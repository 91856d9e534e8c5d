"""One way from a TOML file to frozen nouns, every field checked, and back with a comment on each."""
