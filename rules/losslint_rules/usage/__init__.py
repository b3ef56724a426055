"""How a loss uses torch and what it is told: wrong arguments, settings nobody reads, results nobody keeps."""
