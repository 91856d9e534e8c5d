"""What all engines of real machines share: joining, folders, processes, the learner's process."""
