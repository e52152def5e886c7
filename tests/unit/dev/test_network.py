"""Two clusters never get the same addresses."""

import pytest
from panosc_dev.netns import Link, choose_network
from panosc_dev.progress import StepFailed


def test_a_name_gets_the_same_network_again() -> None:
    assert choose_network("panosc", []) == choose_network("panosc", ["192.0.2.0/24"])


def test_a_network_in_use_is_left_alone() -> None:
    first = choose_network("panosc", [])
    second = choose_network("panosc", [first])
    assert second != first
    assert choose_network("panosc", [first, second]) not in (first, second)


def test_an_address_inside_counts_as_use() -> None:
    first = choose_network("panosc", [])
    assert choose_network("panosc", [Link("panosc", first).outer]) != first


def test_running_out_of_networks_is_said() -> None:
    with pytest.raises(StepFailed, match="no free network"):
        choose_network("panosc", ["10.0.0.0/8"])


def test_addresses_of_the_link() -> None:
    link = Link("panosc", "10.201.7.0/24")
    assert (link.outer, link.inner) == ("10.201.7.1", "10.201.7.2")


@pytest.mark.parametrize("name", ["panosc", "panosc-test", "a-cluster-with-quite-a-long-name"])
def test_interface_names_fit(name: str) -> None:
    assert len(Link(name, "10.201.7.0/24").outer_interface) <= 15


def test_interface_names_differ() -> None:
    assert Link("a", "10.201.7.0/24").outer_interface != Link("b", "10.201.7.0/24").outer_interface
