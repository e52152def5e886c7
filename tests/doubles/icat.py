"""An ICAT server: SOAP as icat.server 5 and 6 speak it, sessions that expire, and its subset of JPQL.

It knows what python-icat's queries are made of and refuses anything else, as the real server refuses what it
cannot parse. Times are local ones of a zone that is not UTC, since JPQL's timestamps have none.
"""

import re
import secrets
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doubles.icat_schema import NAMESPACE, SCHEMA, XSD, instance, wsdl, xsd

ZONE = timezone(timedelta(hours=2))
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_XML = "text/xml;charset=utf-8"
_INTERNAL = "http://payara.internal:8080/ICATService/ICAT"
"""What the server takes for its own address, behind its proxy."""


class IcatException(Exception):
    """What the server refuses; its type is one of IcatException's."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Icat:
    """The server with its tables: rows by id, relations as ids."""

    def __init__(self, *, version: str = "6.2.0", max_entities: int = 10_000) -> None:
        self.version = version
        self.max_entities = max_entities
        self.accounts = {("db", "harvester"): "s3cret"}
        self.session_calls: int | None = None
        """Calls after which a session has expired."""
        self.logins = 0
        self.prolog = ""
        """What stands before each envelope."""
        self.now = datetime(2026, 3, 1, 12, tzinfo=ZONE)
        self.tables: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in SCHEMA}
        self._children: dict[tuple[str, str], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        self.sessions: dict[str, int] = {}
        """Calls made with each session that is open."""
        self.searches: list[tuple[str, int]] = []
        """Queries, and how many entities they gave."""
        self._next_id = 1
        self.app = Starlette(routes=[Route("/ICATService/ICAT", self._serve, methods=["GET", "POST"])])

    # What tests do to it

    def add(self, entity: str, **values: Any) -> int:
        """Create a row; related ones are given by their ids."""
        fields = SCHEMA[entity]
        unknown = values.keys() - fields.keys()
        lacking = {
            f.name for f in fields.values() if f.not_null and f.relation != "MANY" and f.name not in values
        } - {"id", "createId", "createTime", "modId", "modTime", "complete"}
        assert not unknown, (entity, unknown)
        assert not lacking, (entity, lacking)
        key = self._next_id
        self._next_id += 1
        meta = {"id": key, "createId": "root", "createTime": self.now, "modId": "root", "modTime": self.now}
        self.tables[entity][key] = {**meta, **values}
        for name, value in values.items():
            if fields[name].relation == "ONE" and value is not None:
                self._children[entity, name][value].append(key)
        return key

    def change(self, entity: str, key: int, **values: Any) -> None:
        """Update attributes of a row."""
        self.tables[entity][key].update(values, modTime=self.now)

    def delete(self, entity: str, key: int) -> None:
        """Delete a row with what belongs to it."""
        for field in SCHEMA[entity].values():
            if field.relation == "MANY":
                for child in list(self._children[field.type, field.mapped_by][key]):
                    if SCHEMA[field.type][field.mapped_by].not_null:
                        self.delete(field.type, child)
        row = self.tables[entity].pop(key)
        for field in SCHEMA[entity].values():
            if field.relation == "ONE" and row.get(field.name) is not None:
                self._children[entity, field.name][row[field.name]].remove(key)

    # SOAP

    async def _serve(self, request: Request) -> Response:
        if request.method == "GET":
            text = xsd() if "xsd" in request.query_params else wsdl(_INTERNAL)
            return Response(text, media_type=_XML)
        if not request.headers.get("content-type", "").startswith("text/xml"):
            return Response(status_code=415)
        body = etree.fromstring(await request.body())[-1]
        call = body[0]
        name = etree.QName(call)
        assert body.tag == f"{{{_SOAP}}}Body"
        assert name.namespace == NAMESPACE
        try:
            answer = "".join(self._call(name.localname, call))
        except IcatException as error:
            return Response(_fault(error), 500, media_type=_XML)
        text = f'<ns:{name.localname}Response xmlns:ns="{NAMESPACE}">{answer}</ns:{name.localname}Response>'
        return Response(self.prolog + _envelope(text), media_type=_XML)

    def _call(self, name: str, call: etree._Element) -> Iterable[str]:
        given = {etree.QName(element).localname: element for element in call}
        if name == "getApiVersion":
            return [_return(self.version)]
        if name == "getEntityNames":
            return [_return(entity) for entity in SCHEMA if entity != "Parameter"]
        if name == "getEntityInfo":
            return self._entity_info(given["beanName"].text or "")
        if name == "login":
            return [_return(self._login(given["plugin"].text or "", given.get("credentials")))]
        session = (given["sessionId"].text if "sessionId" in given else None) or ""
        self._check(session)
        if name == "search":
            return self._search(given["query"].text or "")
        if name == "getRemainingMinutes":
            return [_return("120.0")]
        if name == "logout":
            del self.sessions[session]
        return []

    def _login(self, plugin: str, credentials: etree._Element | None) -> str:
        entries = {}
        for entry in credentials if credentials is not None else ():
            key, value = (entry.findtext("{*}key"), entry.findtext("{*}value"))
            entries[key] = value
        if plugin != "anon":
            if plugin not in {of for of, _ in self.accounts}:
                raise IcatException("SESSION", f"Authenticator mnemonic {plugin} not recognised")
            if self.accounts.get((plugin, entries.get("username") or "")) != entries.get("password"):
                raise IcatException("SESSION", "The username and password do not match")
        session = secrets.token_hex(16)
        self.sessions[session] = 0
        self.logins += 1
        return session

    def _check(self, session: str) -> None:
        if session not in self.sessions:
            raise IcatException("SESSION", f"Unable to find user by sessionid: {session}")
        self.sessions[session] += 1
        if self.session_calls is not None and self.sessions[session] > self.session_calls:
            del self.sessions[session]
            raise IcatException("SESSION", f"Session id:{session} has expired")

    def _entity_info(self, entity: str) -> Iterator[str]:
        if entity not in SCHEMA:
            raise IcatException("BAD_PARAMETER", f"{entity} is not an EntityBaseBean")
        yield "<return><classComment/>"
        for field in SCHEMA[entity].values():
            yield (
                f"<fields><name>{field.name}</name><notNullable>{str(field.not_null).lower()}</notNullable>"
                f"<relType>{field.relation}</relType><type>{field.type}</type></fields>"
            )
        yield "</return>"

    # JPQL

    def _search(self, text: str) -> list[str]:
        query = _Query(text)
        if query.maximum:
            values = [row[query.maximum] for row in self.tables[query.entity].values()]
            if not values:
                return []
            kind = XSD[SCHEMA[query.entity][query.maximum].type]
            return [
                _return(_text(max(values)), f' xmlns:xs="http://www.w3.org/2001/XMLSchema" xsi:type="{kind}"')
            ]
        rows: list[Any] = []
        for row in self._candidates(query):
            if len(rows) == query.limit:
                break
            count = self._matches(query, row)
            rows.extend([row] * (min(count, 1) if query.distinct else count))
        if len(rows) > self.max_entities:
            self._too_many()
        self.searches.append((text, len(rows)))
        tree = query.tree()
        self._counted = len(rows)
        kind = f' xmlns:tns="{NAMESPACE}" xsi:type="tns:{instance(query.entity)}"'
        return [f"<return{kind}>{self._bean(query.entity, row, tree)}</return>" for row in rows]

    def _candidates(self, query: "_Query") -> Iterator[dict[str, Any]]:
        table = self.tables[query.entity]
        keys = list(table)  # ids only ever grow
        after = max(
            (value for path, op, value in query.conditions if (path, op) == ("o.id", ">")), default=-1
        )
        for key in keys[bisect_right(keys, after) :]:
            yield table[key]

    def _matches(self, query: "_Query", row: dict[str, Any]) -> int:
        """How many ways of joining satisfy the conditions."""
        bindings: list[dict[str, tuple[str, dict[str, Any]]]] = [{"o": (query.entity, row)}]
        for path, alias in query.joins:
            parent, field = path.split(".")
            bindings = [
                {**binding, alias: (of, child)}
                for binding in bindings
                for of, child in self._related(*binding[parent], field)
            ]
        return sum(
            all(
                _holds(binding[path.split(".")[0]][1], path, op, value)
                for path, op, value in query.conditions
            )
            for binding in bindings
        )

    def _related(self, entity: str, row: dict[str, Any], name: str) -> list[tuple[str, dict[str, Any]]]:
        field = SCHEMA[entity].get(name)
        if field is None or field.relation == "ATTRIBUTE":
            raise IcatException("BAD_PARAMETER", f"{entity} has no relation {name}")
        if field.relation == "ONE":
            key = row.get(name)
            return [] if key is None else [(field.type, self.tables[field.type][key])]
        children = self._children[field.type, field.mapped_by].get(row["id"], ())
        return [(field.type, self.tables[field.type][key]) for key in children]

    def _bean(self, entity: str, row: dict[str, Any], tree: dict[str, Any]) -> str:
        parts = []
        for name, value in row.items():
            field = SCHEMA[entity][name]
            if field.relation == "ATTRIBUTE" and value is not None:
                parts.append(f"<{name}>{escape(_text(value))}</{name}>")
        for name, below in tree.items():
            for of, related in self._related(entity, row, name):
                self._counted += 1
                if self._counted > self.max_entities:
                    self._too_many()
                parts.append(f"<{name}>{self._bean(of, related, below)}</{name}>")
        return "".join(parts)

    def _too_many(self) -> None:
        raise IcatException("VALIDATION", f"attempt to return more than {self.max_entities} entities")


_CONDITION = re.compile(r"([\w.]+) (>=|>|=) (\d+|\{ts \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\})")
_QUERY = re.compile(
    r"SELECT (?P<select>.+?) FROM (?P<entity>\w+) o(?P<joins>( JOIN [\w.]+ AS \w+)*)"
    r"( WHERE (?P<where>.+?))?( ORDER BY o\.id)?( INCLUDE (?P<include>[\w., ]+?))?( LIMIT 0, (?P<limit>\d+))?"
)


class _Query:
    """A query taken apart; BAD_PARAMETER if it is none."""

    def __init__(self, text: str) -> None:
        found = _QUERY.fullmatch(text)
        if found is None or found["entity"] not in SCHEMA:
            raise IcatException("BAD_PARAMETER", f"Unable to parse {text}")
        self.entity = found["entity"]
        self.limit = int(found["limit"]) if found["limit"] else None
        self.distinct = found["select"] == "DISTINCT(o)"
        maximum = re.fullmatch(r"MAX\(o\.(\w+)\)", found["select"])
        self.maximum = maximum[1] if maximum else None
        if not (maximum or self.distinct or found["select"] == "o"):
            raise IcatException("BAD_PARAMETER", f"Unable to parse SELECT {found['select']}")
        self.joins = re.findall(r"JOIN ([\w.]+) AS (\w+)", found["joins"])
        self.conditions: list[tuple[str, str, Any]] = []
        for part in found["where"].split(" AND ") if found["where"] else ():
            condition = _CONDITION.fullmatch(part)
            if condition is None:
                raise IcatException("BAD_PARAMETER", f"Unable to parse {part}")
            path, op, value = condition.groups()
            stamp = value.startswith("{")
            self.conditions.append((path, op, _moment(value) if stamp else int(value)))
        self._include = (found["include"] or "").split(", ") if found["include"] else []

    def tree(self) -> dict[str, Any]:
        """What to include, nested."""
        nodes: dict[str, dict[str, Any]] = {"o": {}}
        waiting = [re.fullmatch(r"(\w+)\.(\w+)(?: AS (\w+))?", part) for part in self._include]
        for found in waiting:
            if found is None or found[1] not in nodes:
                raise IcatException("BAD_PARAMETER", f"Unable to parse INCLUDE {self._include}")
            node = nodes[found[1]].setdefault(found[2], {})
            if found[3]:
                nodes[found[3]] = node
        return nodes["o"]


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "{ts %Y-%m-%d %H:%M:%S}").replace(tzinfo=ZONE)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
}


def _holds(row: dict[str, Any], path: str, op: str, value: Any) -> bool:
    found = row.get(path.split(".")[1])
    return found is not None and _COMPARE[op](found, value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.astimezone(ZONE).isoformat(timespec="milliseconds")
    return str(value)


def _return(value: str, attributes: str = "") -> str:
    return f"<return{attributes}>{escape(value)}</return>"


def _envelope(body: str) -> str:
    return f'<S:Envelope xmlns:S="{_SOAP}" xmlns:xsi="{_XSI}"><S:Body>{body}</S:Body></S:Envelope>'


def _fault(error: IcatException) -> str:
    message = escape(str(error))
    return _envelope(
        f"<S:Fault><faultcode>S:Server</faultcode><faultstring>{message}</faultstring><detail>"
        f'<ns:IcatException xmlns:ns="{NAMESPACE}"><message>{message}</message><offset>-1</offset>'
        f"<type>{error.kind}</type></ns:IcatException></detail></S:Fault>"
    )
