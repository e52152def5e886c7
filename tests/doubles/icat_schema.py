"""The part of ICAT's schema that a catalogue reads, and the service's description in WSDL.

Written from the entities' documentation of icat.server 5 and 6. An entity's fields stand as attributes | what
it belongs to | what belongs to it; `!` marks those that are never null.
"""

from dataclasses import dataclass

_ENTITIES = {
    "Facility": "name:String! fullName:String daysUntilRelease:Integer | | instruments:Instrument.facility",
    "InvestigationType": "name:String! | facility:Facility! |",
    "DatasetType": "name:String! | facility:Facility! |",
    "DataPublicationType": "name:String! | facility:Facility! |",
    "ParameterType": "name:String! pid:String units:String! valueType:String! | facility:Facility! |",
    "Instrument": "name:String! fullName:String pid:String url:String | facility:Facility! |",
    "Technique": "name:String! pid:String description:String | |",
    "User": (
        "name:String! fullName:String givenName:String familyName:String email:String orcidId:String "
        "affiliation:String | |"
    ),
    "Investigation": (
        "name:String! visitId:String! title:String! summary:String doi:String startDate:Date endDate:Date "
        "releaseDate:Date fileSize:Long fileCount:Long | facility:Facility! type:InvestigationType! | "
        "keywords:Keyword.investigation investigationUsers:InvestigationUser.investigation "
        "investigationInstruments:InvestigationInstrument.investigation "
        "parameters:InvestigationParameter.investigation samples:Sample.investigation "
        "datasets:Dataset.investigation "
        "dataCollectionInvestigations:DataCollectionInvestigation.investigation "
        "fundingReferences:InvestigationFunding.investigation"
    ),
    "Keyword": "name:String! | investigation:Investigation! |",
    "InvestigationUser": "role:String! | investigation:Investigation! user:User! |",
    "InvestigationInstrument": "| investigation:Investigation! instrument:Instrument! |",
    "InvestigationFunding": "| investigation:Investigation! funding:FundingReference! |",
    "Sample": "name:String! pid:String | investigation:Investigation! | datasets:Dataset.sample",
    "Dataset": (
        "name:String! doi:String description:String location:String complete:boolean! startDate:Date "
        "endDate:Date fileSize:Long fileCount:Long | investigation:Investigation! sample:Sample "
        "type:DatasetType! | parameters:DatasetParameter.dataset datafiles:Datafile.dataset "
        "datasetInstruments:DatasetInstrument.dataset datasetTechniques:DatasetTechnique.dataset "
        "dataCollectionDatasets:DataCollectionDataset.dataset"
    ),
    "Datafile": "name:String! location:String fileSize:Long checksum:String | dataset:Dataset! |",
    "DatasetInstrument": "| dataset:Dataset! instrument:Instrument! |",
    "DatasetTechnique": "| dataset:Dataset! technique:Technique! |",
    "DataCollection": (
        "doi:String | | dataCollectionDatasets:DataCollectionDataset.dataCollection "
        "dataCollectionInvestigations:DataCollectionInvestigation.dataCollection "
        "dataPublications:DataPublication.content"
    ),
    "DataCollectionDataset": "| dataCollection:DataCollection! dataset:Dataset! |",
    "DataCollectionInvestigation": "| dataCollection:DataCollection! investigation:Investigation! |",
    "DataPublication": (
        "pid:String! title:String! publicationDate:Date description:String subject:String | "
        "facility:Facility! content:DataCollection! type:DataPublicationType | "
        "users:DataPublicationUser.publication fundingReferences:DataPublicationFunding.dataPublication"
    ),
    "DataPublicationFunding": "| dataPublication:DataPublication! funding:FundingReference! |",
    "FundingReference": (
        "funderName:String! funderIdentifier:String awardNumber:String! awardTitle:String | | "
        "publications:DataPublicationFunding.funding investigations:InvestigationFunding.funding"
    ),
    "DataPublicationUser": (
        "contributorType:String! orderKey:String fullName:String givenName:String familyName:String "
        "| publication:DataPublication! user:User! | affiliations:Affiliation.user"
    ),
    "Affiliation": "name:String! pid:String fullReference:String | user:DataPublicationUser! |",
}
_PARAMETER = (
    "numericValue:Double stringValue:String dateTimeValue:Date rangeBottom:Double rangeTop:Double "
    "error:Double | type:ParameterType!"
)
_ENTITIES["Parameter"] = f"{_PARAMETER} |"
_ENTITIES["InvestigationParameter"] = f"{_PARAMETER} investigation:Investigation! |"
_ENTITIES["DatasetParameter"] = f"{_PARAMETER} dataset:Dataset! |"

_META = "id:Long! createId:String! createTime:Date! modId:String! modTime:Date! "

XSD = {
    "String": "xs:string",
    "Date": "xs:dateTime",
    "Long": "xs:long",
    "Integer": "xs:int",
    "Double": "xs:double",
    "boolean": "xs:boolean",
}


@dataclass(frozen=True)
class Field:
    """A field of an entity."""

    name: str
    type: str
    """Of an attribute, or the related entity."""
    relation: str
    """ATTRIBUTE, ONE or MANY."""
    not_null: bool = False
    mapped_by: str = ""
    """The field of the related entity that points back."""


def _fields(text: str) -> dict[str, Field]:
    attributes, ones, manys = text.split("|")
    fields = {}
    for kind, part in (("ATTRIBUTE", _META + attributes), ("ONE", ones), ("MANY", manys)):
        for word in part.split():
            name, of = word.split(":")
            target, _, back = of.rstrip("!").partition(".")
            fields[name] = Field(name, target, kind, of.endswith("!"), back)
    return fields


SCHEMA = {name: _fields(text) for name, text in _ENTITIES.items()}
NAMESPACE = "http://icatproject.org"

OPERATIONS = {
    "getApiVersion": ((), "xs:string"),
    "getEntityNames": ((), "xs:string*"),
    "getEntityInfo": (("beanName:xs:string",), "tns:entityInfo"),
    "login": (("plugin:xs:string", "credentials:tns:credentials"), "xs:string"),
    "logout": (("sessionId:xs:string",), None),
    "refresh": (("sessionId:xs:string",), None),
    "getRemainingMinutes": (("sessionId:xs:string",), "xs:double"),
    "search": (("sessionId:xs:string", "query:xs:string"), "xs:anyType*"),
}


def instance(entity: str) -> str:
    """The name of an entity's type in the description."""
    return entity[0].lower() + entity[1:]


def xsd() -> str:
    """The schema, as the server sends it apart from the description."""
    types = "".join(_complex(name, fields) for name, fields in SCHEMA.items())
    elements = "".join(_operation(name, *of) for name, of in OPERATIONS.items())
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<xs:schema xmlns:tns="{NAMESPACE}" xmlns:xs="http://www.w3.org/2001/XMLSchema" version="1.0"
 targetNamespace="{NAMESPACE}">
<xs:element name="IcatException" type="tns:IcatException"/>{elements}
<xs:complexType name="IcatException"><xs:sequence>
<xs:element name="message" type="xs:string" minOccurs="0"/><xs:element name="offset" type="xs:int"/>
<xs:element name="type" type="xs:string" minOccurs="0"/></xs:sequence></xs:complexType>
<xs:complexType name="credentials"><xs:sequence>
<xs:element name="entry" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>
<xs:element name="key" type="xs:string" minOccurs="0"/>
<xs:element name="value" type="xs:string" minOccurs="0"/>
</xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType>
<xs:complexType name="entityInfo"><xs:sequence>
<xs:element name="classComment" type="xs:string" minOccurs="0"/>
<xs:element name="fields" type="tns:entityField" nillable="true" minOccurs="0" maxOccurs="unbounded"/>
</xs:sequence></xs:complexType>
<xs:complexType name="entityField"><xs:sequence>
<xs:element name="name" type="xs:string"/><xs:element name="notNullable" type="xs:boolean"/>
<xs:element name="relType" type="xs:string"/><xs:element name="type" type="xs:string"/>
</xs:sequence></xs:complexType>
<xs:complexType name="entityBaseBean" abstract="true"><xs:sequence>
<xs:element name="createId" type="xs:string" minOccurs="0"/>
<xs:element name="createTime" type="xs:dateTime" minOccurs="0"/>
<xs:element name="id" type="xs:long" minOccurs="0"/>
<xs:element name="modId" type="xs:string" minOccurs="0"/>
<xs:element name="modTime" type="xs:dateTime" minOccurs="0"/></xs:sequence></xs:complexType>{types}
</xs:schema>"""


def _complex(entity: str, fields: dict[str, Field]) -> str:
    lines = []
    for field in fields.values():
        if f"{field.name}:" in _META:
            continue
        kind = XSD.get(field.type) or f"tns:{instance(field.type)}"
        many = ' nillable="true" maxOccurs="unbounded"' if field.relation == "MANY" else ""
        lines.append(f'<xs:element name="{field.name}" type="{kind}" minOccurs="0"{many}/>')
    return (
        f'<xs:complexType name="{instance(entity)}"><xs:complexContent>'
        f'<xs:extension base="tns:entityBaseBean"><xs:sequence>{"".join(lines)}</xs:sequence>'
        "</xs:extension></xs:complexContent></xs:complexType>"
    )


def _operation(name: str, arguments: tuple[str, ...], result: str | None) -> str:
    given = "".join(
        f'<xs:element name="{word.split(":", 1)[0]}" type="{word.split(":", 1)[1]}" minOccurs="0"/>'
        for word in arguments
    )
    many = ' maxOccurs="unbounded"' if result and result.endswith("*") else ""
    answer = f'<xs:element name="return" type="{result.rstrip("*")}" minOccurs="0"{many}/>' if result else ""
    return "".join(
        f'<xs:element name="{element}" type="tns:{element}"/>'
        f'<xs:complexType name="{element}"><xs:sequence>{content}</xs:sequence></xs:complexType>'
        for element, content in ((name, given), (f"{name}Response", answer))
    )


def wsdl(address: str) -> str:
    """The description; like the real server's it names an address of its own, often not the public one."""
    messages = '<message name="IcatException"><part name="fault" element="tns:IcatException"/></message>'
    ports = bindings = ""
    for name in OPERATIONS:
        for message in (name, f"{name}Response"):
            messages += (
                f'<message name="{message}"><part name="parameters" element="tns:{message}"/></message>'
            )
        ports += (
            f'<operation name="{name}"><input message="tns:{name}"/><output message="tns:{name}Response"/>'
            '<fault message="tns:IcatException" name="IcatException"/></operation>'
        )
        bindings += (
            f'<operation name="{name}"><soap:operation soapAction=""/>'
            '<input><soap:body use="literal"/></input>'
            '<output><soap:body use="literal"/></output>'
            '<fault name="IcatException"><soap:fault name="IcatException" use="literal"/></fault></operation>'
        )
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
 xmlns:tns="{NAMESPACE}" xmlns:xsd="http://www.w3.org/2001/XMLSchema" targetNamespace="{NAMESPACE}"
 name="ICATService"><types><xsd:schema><xsd:import namespace="{NAMESPACE}"
 schemaLocation="{address}?xsd=1"/></xsd:schema></types>{messages}
<portType name="ICAT">{ports}</portType>
<binding name="ICATPortBinding" type="tns:ICAT">
<soap:binding transport="http://schemas.xmlsoap.org/soap/http" style="document"/>{bindings}</binding>
<service name="ICATService"><port name="ICATPort" binding="tns:ICATPortBinding">
<soap:address location="{address}"/></port></service></definitions>"""
