"""What a trained model is: a folder on disk, a value in memory; nothing of how it is made."""
