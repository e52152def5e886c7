"""Kubernetes operator of the PaNOSC kinds."""
