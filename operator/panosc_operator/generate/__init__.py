"""Makes from the models what is committed beside them: CRDs, the chart's CRDs and rights, reference pages."""
