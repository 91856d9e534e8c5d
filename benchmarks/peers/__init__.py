"""The peers that README and docs/model.md compare with, written new and trained beside our own network."""
