"""A demonstration facility's NeXus files: invented measurements in the shape that real beamlines write."""
