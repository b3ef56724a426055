"""What a loss is told and does not do: settings nobody reads, results nobody keeps, names torch does not have."""
