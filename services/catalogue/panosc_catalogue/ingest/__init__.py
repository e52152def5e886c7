"""From the sources' trees to the catalogue, again and again."""
