"""Reconciling that knows no kind by name: watch, queue, apply, prune, judge, status.

A kind is described to the engine by `panosc_operator.engine.kind.Kind`; everything here works on raw JSON
objects, because typed models of the Kubernetes client cost 10-30 times the CPU.
"""
