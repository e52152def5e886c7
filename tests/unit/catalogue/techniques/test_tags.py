"""Techniques by their row ids."""

from panosc_catalogue.query import tags
from panosc_catalogue.query.model import MODELS
from panosc_catalogue.query.parse import parse_filter
from panosc_catalogue.query.syntax import Junction, Techniques
from panosc_common.panet import LATEST, ontology


def test_a_test_that_most_techniques_pass_stays_as_it_is() -> None:
    where = {"or": [{"name": {"like": "%a%"}}, {"name": "SAXS"}]}
    asked = {"query": "iron", "include": [{"relation": "techniques", "scope": {"where": where}}]}
    query = parse_filter(MODELS["Dataset"], asked, ontology(LATEST))
    many, _ = tags.tests(query)

    [include] = tags.known(query, [range(1, tags.MAX_TECHNIQUES + 2), [3, 5]]).includes

    assert include.demand == Junction((many, Techniques((3, 5))), every=False)
