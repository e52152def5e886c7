"""The tables of panosc_common.panet, made of the ontology's official releases."""
