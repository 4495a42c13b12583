"""The JSON schemas of all models of the document, made by pydantic at once, so that each has one name."""

from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

PLACE = "#/components/schemas/"
Wanted = tuple[Any, JsonSchemaMode]  # "validation": what comes in, "serialization": what goes out


class Generator(GenerateJsonSchema):
    """As pydantic does it, without titles that only repeat a name, and with every name of a field."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never: the name of a field is enough."""
        del schema
        return False

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        """An item, with all the names that its fields go by."""
        made = super().typed_dict_schema(schema)
        for field in schema["fields"].values():
            _name_every_alias(made, field)
        return made


def _name_every_alias(made: dict[str, Any], field: Any) -> None:
    """Add the further names of a field; one of them will do where the field is required."""
    names = [path[0] for path in field.get("validation_alias", ()) if isinstance(path, list)]
    for other in names[1:]:
        text = f"Another name of `{names[0]}`."
        made["properties"][other] = {**made["properties"][names[0]], "description": text}
    if len(names) > 1 and names[0] in made.get("required", ()):
        made["required"].remove(names[0])
        made["anyOf"] = [{"required": [name]} for name in names]


class Schemas:
    """The schemas of models; the named ones are components and referred to."""

    def __init__(self, wanted: Iterable[Wanted]) -> None:
        inputs = [(repr(model), mode, TypeAdapter(model)) for model, mode in wanted]
        self._found, definitions = TypeAdapter.json_schemas(
            inputs, ref_template=PLACE + "{model}", schema_generator=Generator
        )
        self._definitions: dict[str, dict[str, Any]] = definitions.get("$defs", {})
        self._taken_apart: set[str] = set()

    def of(self, model: Any, mode: JsonSchemaMode) -> dict[str, Any]:
        """The schema of a model, or a reference to it."""
        return self._found[repr(model), mode]

    def properties(self, model: Any) -> tuple[dict[str, Any], list[str]]:
        """The properties of a model that is no component itself, and which of them are required."""
        schema = self._found[repr(model), "validation"]
        if "$ref" in schema:
            name = schema["$ref"].removeprefix(PLACE)
            self._taken_apart.add(name)
            schema = self._definitions[name]
        return schema.get("properties", {}), schema.get("required", [])

    @property
    def components(self) -> dict[str, Any]:
        """The named schemas, but for those of which only the properties were asked for."""
        return {
            name: schema
            for name, schema in sorted(self._definitions.items())
            if name not in self._taken_apart
        }
