"""What users are told about their policies: conditions, the summary and Events."""
