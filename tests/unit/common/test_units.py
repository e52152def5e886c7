"""Units as the search API names them and as files spell them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panosc_common.units import kind, parse, parse_unit

ENERGY = "kg*m**2*s**-2"


@pytest.mark.parametrize(
    ("names", "si", "quantity"),
    [
        ("meter m metre", 1, "length"),
        ("angstrom Å Ang Angstrom ANGSTROM Å", 1e-10, "length"),
        ("rad radian radians", 1, "angle"),
        ("deg degree degrees °", 0.017453292519943295, "angle"),
        ("grad gradian", 0.015707963267948967, "angle"),
        ("arcsec arcsecond", 4.84813681109536e-06, "angle"),
        ("arcmin arcminute", 0.0002908882086657216, "angle"),
        ("second s secs seconds sec", 1, "time"),
        ("minute mins minutes min", 60, "time"),
        ("hour h hr hrs hours", 3600, "time"),
        ("day days", 86400, "time"),
        ("hertz Hz 1/s s^-1 s-1 s⁻¹ s**-1", 1, "frequency"),
        ("gram g", 1e-3, "mass"),
        ("ampere A", 1, "electric current"),
        ("kelvin K Kelvin", 1, "temperature"),
        ("mole mol", 1, "amount of substance"),
        ("candela cd", 1, "luminous intensity"),
        ("newton N", 1, "force"),
        ("joule J", 1, "energy"),
        ("erg", 1e-7, "energy"),
        ("Wh", 3600, "energy"),
        ("electronvolt eV ev", 1.602176634e-19, "energy"),
        ("watt W", 1, "power"),
        ("Pa pascal", 1, "pressure"),
        ("psi", 6894.757293168361, "pressure"),
        ("atm", 101325, "pressure"),
        ("torr Torr", 133.32236842105263, "pressure"),
        ("bar", 1e5, "pressure"),
        ("coulomb C", 1, "electric charge"),
        ("volt V", 1, "voltage"),
        ("ohm Ohm Ω", 1, "resistance"),
        ("farad F", 1, "capacitance"),
        ("weber Wb", 1, "magnetic flux"),
        ("tesla T", 1, "magnetic flux density"),
        ("henry H", 1, "inductance"),
        ("siemens S", 1, "conductance"),
        ("bits b bit", 1, "amount of information"),
        ("bytes B byte", 8, "amount of information"),
        ("1/Ang 1/angstrom Å^-1 Å⁻¹ Ang-1 Å^(-1)", 1e10, "wavenumber"),
        ("% percent", 0.01, "plain number"),
        ("counts cts 1 dimensionless", 1, "plain number"),
        ("counts/s cps", 1, "frequency"),
        ("cm^2 cm2 cm² cm**2", 1e-4, "area"),
    ],
)
def test_names(names: str, si: float, quantity: str) -> None:
    for name in names.split():
        unit = parse_unit(name)
        assert unit is not None, name
        assert unit.scale == pytest.approx(si, rel=1e-14), name
        assert (unit.offset, kind(unit.dimension)) == (0, quantity), name


PREFIXES = {
    **dict(zip("yzafpnumcdhkMGTPEZY", [*range(-24, -2, 3), -2, -1, 2, *range(3, 25, 3)], strict=True)),
    "da": 1,
    "\u00b5": -6,
    "\u03bc": -6,
}


def test_prefixes() -> None:
    for prefix, exponent in PREFIXES.items():
        for unit in ("m", "eV", "Hz"):
            found, base = parse_unit(prefix + unit), parse_unit(unit)
            assert found, prefix
            assert base
            assert found.scale == pytest.approx(base.scale * 10.0**exponent, rel=1e-14), prefix + unit
    for position, prefix in enumerate("KMGTPEZY", start=1):
        assert parse(1, f"{prefix}iB") == (8 * 1024.0**position, "bit")
        assert parse(1, f"{prefix}ib") == (1024.0**position, "bit")
    assert parse(3, "Mb") == (3e6, "bit")


@pytest.mark.parametrize("unit", ["(kg m^2) / s^2", "kg*m**2/s**2", "kg·m²·s⁻²", "N m", "J"])
def test_products_of_units_have_one_dimension(unit: str) -> None:
    assert parse(2, unit) == (2, ENERGY)


def assert_kelvin(parsed: tuple[float, str] | None, expected: float) -> None:
    assert parsed is not None
    value, dimension = parsed
    assert value == pytest.approx(expected, rel=1e-14)
    assert dimension == "K"


def from_si(unit: str, value: float) -> float:
    found = parse_unit(unit)
    assert found is not None
    return found.from_si(value)


@pytest.mark.parametrize("unit", ["celsius", "degC", "°C", "℃", "deg C", "Celsius", "degrees C"])
def test_celsius_has_another_zero(unit: str) -> None:
    assert_kelvin(parse(80, unit), 353.15)
    assert from_si(unit, 293.15) == 20


@pytest.mark.parametrize("unit", ["fahrenheit", "degF", "°F"])
def test_fahrenheit(unit: str) -> None:
    assert_kelvin(parse(212, unit), 373.15)
    assert from_si(unit, 273.15) == 32


def test_a_rate_of_temperature_has_no_zero() -> None:
    assert parse(60, "degC/min") == (1, "K*s**-1")


def test_no_unit_is_a_plain_number() -> None:
    assert parse(5, "") == parse(5, None) == (5, "1")


@pytest.mark.parametrize(
    "unit",
    [
        *("arb. units", "foo", "mb", "px", "pH", "K (setpoint)", "2**9", "m^999", "((m^9)^9)", "m/"),
        *("__class__", "m.__class__", "exec('1')", "1e5 m", "m\0", "kg*m)*(s", "x" * 65),
    ],
)
def test_not_understood(unit: str) -> None:
    assert parse(1, unit) is None


def test_too_large_to_compare() -> None:
    assert parse(1e300, "m") is None
    assert parse(1, "Ym^50") is None


@given(st.text(alphabet="mskgeVKÅ°%C()^*/-+1290 .·²", max_size=20))
def test_no_text_does_harm(text: str) -> None:
    unit = parse_unit(text)
    assert unit is None or unit.dimension


@given(
    st.sampled_from(["eV", "keV", "nm", "degC", "degF", "mbar", "deg", "1/Ang", "GiB"]),
    st.floats(min_value=1e-9, max_value=1e9),
)
def test_there_and_back(name: str, value: float) -> None:
    unit = parse_unit(name)
    assert unit
    si = unit.to_si(value)
    assert si is not None
    # Next to absolute zero the offset swallows digits.
    assert unit.from_si(si) == pytest.approx(value, rel=1e-11, abs=abs(unit.offset) * 1e-12)
