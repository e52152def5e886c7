"""The command `panosc` for a scientist's own machine; it knows the services by HTTP alone."""
