"""From a folder to batches: a verdict for every file, the split, resident samples."""
