"""What users may write, and what they are told when it cannot be."""
