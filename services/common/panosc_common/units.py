"""Units of measurement as catalogues write them: to SI and back.

The names are those of the search API (mathjs's units and prefixes), those that files and catalogues really
hold, and else those of pint, which has the definitions, prefixes and dimensions. A spelling that may mean two
things is not guessed.
"""

import re
import tokenize
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType

import pint

MAX_LENGTH = 64
"""Characters of a unit; what is longer is prose."""
_LARGEST = 1e150
"""Values and factors beyond are refused, so that no product of two overflows."""
_DIGITS = 12
"""Significant digits that survive a conversion to SI and back."""

# Spelling -> what pint calls it. Where the search API and pint disagree, the search API's meaning holds.
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "": "dimensionless",
        "1": "dimensionless",
        "none": "dimensionless",
        "unitless": "dimensionless",
        "ang": "angstrom",
        "Ang": "angstrom",
        "Angs": "angstrom",
        "angs": "angstrom",
        "AA": "angstrom",
        "°": "degree",
        "degrees": "degree",
        "gradian": "grade",
        "gradians": "grade",
        "sec": "second",
        "secs": "second",
        "mins": "minute",
        "hrs": "hour",
        "°C": "degC",
        "C°": "degC",
        "deg_C": "degC",
        "degc": "degC",
        "celcius": "degC",
        "centigrade": "degC",
        "°F": "degF",
        "deg_F": "degF",
        "degf": "degF",
        "°K": "kelvin",
        "degK": "kelvin",
        "%": "percent",
        "kev": "keV",
        "KeV": "keV",
        "KEV": "keV",
        "ev": "eV",
        "cts": "count",
        "cnt": "count",
        "amps": "ampere",
        "Torr": "torr",
        "Ohm": "ohm",
        "Ohms": "ohm",
        "bits": "bit",
        "bytes": "byte",
        **{f"{prefix}b": f"{prefix}bit" for prefix in ("", *"kMGTPEZY", *(f"{p}i" for p in "KMGTPEZY"))},
    }
)
# Millibar or millibarn, decibel or decibarn, acidity or picohenry; a pixel is a length to pint.
_AMBIGUOUS = frozenset({"mb", "db", "pH", "px"})

_LETTER = r"(?:[^\W\d_]|[°%])"
_FACTOR = rf"{_LETTER}+(?:\*\*-?[1-9]\d?)?"
_UNIT = re.compile(rf"(?:1/)?\(?{_FACTOR}(?:[*/]\(?{_FACTOR}\)?)*\)?")
_NAME = re.compile(rf"{_LETTER}+")
_POWER = re.compile(rf"(?<={_LETTER})(?:\^|\*\*)?(?:\(([+-]?\d+)\)|([+-]?\d+))")
_DEGREE = re.compile(r"\bdeg(?:rees?)?[ .]*([CFK]|celsius|fahrenheit)\b", re.IGNORECASE)

_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "energy": "J",
        "length": "m",
        "time": "s",
        "temperature": "K",
        "angle": "rad",
        "pressure": "Pa",
        "mass": "kg",
        "frequency": "Hz",
        "wavenumber": "1/m",
        "electric current": "A",
        "voltage": "V",
        "resistance": "ohm",
        "electric charge": "C",
        "capacitance": "F",
        "inductance": "H",
        "conductance": "S",
        "magnetic flux density": "T",
        "magnetic flux": "Wb",
        "power": "W",
        "force": "N",
        "area": "m^2",
        "volume": "m^3",
        "speed": "m/s",
        "amount of substance": "mol",
        "luminous intensity": "cd",
        "amount of information": "bit",
        "plain number": "",
    }
)


@dataclass(frozen=True)
class Unit:
    """A unit of which `value * scale + offset` is the value in SI base units."""

    scale: float
    offset: float
    dimension: str
    """Product of SI base units, radian and bit, for example `kg*m**2*s**-2`; `1` for plain numbers."""

    def to_si(self, value: float) -> float | None:
        """The value in SI base units; None where it is too large to compare."""
        converted = value * self.scale + self.offset
        return converted if abs(converted) <= _LARGEST else None

    def from_si(self, value: float) -> float:
        """The value in this unit."""
        return float(f"{(value - self.offset) / self.scale:.{_DIGITS}g}")


def parse(value: float, unit: str | None) -> tuple[float, str] | None:
    """The value in SI base units and its dimension; None where the unit is not understood."""
    known = parse_unit(unit or "")
    converted = known.to_si(value) if known else None
    return None if known is None or converted is None else (converted, known.dimension)


@lru_cache(maxsize=8192)
def parse_unit(text: str) -> Unit | None:
    """The unit that `text` names; None where it is not understood."""
    if len(text) > MAX_LENGTH:
        return None
    written = _normalised(text)
    expression = _NAMES.get(written) or _expression(written)
    try:
        return _unit(expression) if expression else None
    except (pint.PintError, tokenize.TokenError, ArithmeticError, TypeError, ValueError):
        return None


def kind(dimension: str) -> str:
    """What a dimension is called, for people: `energy`; the dimension itself where it has no name."""
    return _names_of_kinds().get(dimension, dimension)


def _normalised(text: str) -> str:
    """The text with one spelling of micro, degree, superscripts, dots and dashes."""
    text = unicodedata.normalize("NFKC", text).strip()
    text = text.translate({ord("−"): "-", ord("–"): "-", ord("·"): "*", ord("⋅"): "*", ord("×"): "*"})
    return _DEGREE.sub(lambda match: f"deg{match[1][0].upper()}", text)


def _expression(text: str) -> str | None:
    """The text as pint reads it; None where it is no product of named units with small integer powers."""
    text = re.sub(r"\s*([*/^()])\s*", r"\1", text)
    text = _POWER.sub(lambda power: f"**{int(power[1] or power[2])}", text)
    text = re.sub(r"[\s.]+", "*", text)
    if not _UNIT.fullmatch(text):
        return None
    names = [_name(name) for name in _NAME.findall(text)]
    if None in names:
        return None
    replacements = iter(names)
    return _NAME.sub(lambda _: str(next(replacements)), text)


def _name(name: str) -> str | None:
    """The name of one unit as pint has it; words, unlike symbols, may be written in any case."""
    if name in _AMBIGUOUS:
        return None
    known = _NAMES.get(name, name)
    if known in _registry():
        return known
    word = name.lower()
    known = _NAMES.get(word, word)
    return known if len(word) > 3 and known in _registry() else None


def _unit(expression: str) -> Unit | None:
    registry = _registry()
    units = registry.parse_units(expression)
    offset = float(registry.Quantity(0.0, units).to_base_units().magnitude)
    # Of a unit with another zero the differences tell the scale, exactly.
    steps = registry.parse_units(f"delta_{units}") if offset else units
    base = registry.Quantity(1.0, steps).to_base_units()
    powers = [(name, power) for name, power in base.unit_items() if name != "count"]
    scale = float(base.magnitude)
    if not 1 / _LARGEST <= abs(scale) <= _LARGEST:
        return None
    symbols = sorted((registry.get_symbol(name), power) for name, power in powers)
    dimension = "*".join(symbol if power == 1 else f"{symbol}**{power:g}" for symbol, power in symbols)
    return Unit(scale, offset, dimension or "1")


@cache
def _registry() -> "pint.UnitRegistry[float]":
    return pint.UnitRegistry()


@cache
def _names_of_kinds() -> Mapping[str, str]:
    named = {name: parse_unit(unit) for name, unit in _KINDS.items()}
    return {unit.dimension: name for name, unit in reversed(named.items()) if unit}
