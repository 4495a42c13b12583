"""The JSON schemas of all models in the OpenAPI document, made in one call so that names are unique."""

import re
from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

PLACE = "#/components/schemas/"
Wanted = tuple[Any, JsonSchemaMode]  # "validation": of requests, "serialization": of responses


class Generator(GenerateJsonSchema):
    """Pydantic's generator, without titles that only repeat a name, and with every spelling of a field."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Return False, because the title would only repeat the name of the field."""
        del schema
        return False

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        """Return the schema of an item, with every spelling of its fields."""
        made = super().typed_dict_schema(schema)
        for field in schema["fields"].values():
            _name_every_alias(made, field)
        return made


def _name_every_alias(made: dict[str, Any], field: Any) -> None:
    """Add the other spellings of a field; a required field needs one of them."""
    names = [path[0] for path in field.get("validation_alias", ()) if isinstance(path, list)]
    for other in names[1:]:
        text = f"Another name of `{names[0]}`."
        made["properties"][other] = {**made["properties"][names[0]], "description": text}
    if len(names) > 1 and names[0] in made.get("required", ()):
        made["required"].remove(names[0])
        others = {"anyOf": [{"required": [name]} for name in names[1:]]}
        # in place of one anyOf of all names, which generators of clients take for several types
        made["if"], made["then"] = {"not": others}, {"required": names[:1]}


def _name_repeated_objects(definitions: dict[str, dict[str, Any]]) -> None:
    """Make an object without a name a component if several fields can have it, such as both spellings of one.

    Generators of clients name its class after the field, and fail at the second one.
    """
    options = [
        (field, options, position)
        for schema in [*definitions.values()]
        for field, value in schema.get("properties", {}).items()
        for options in [value.get("anyOf", [])]
        for position, option in enumerate(options)
        if isinstance(option.get("additionalProperties"), dict)
    ]
    named: list[tuple[str, dict[str, Any]]] = []
    for field, options_, position in options:
        option = options_[position]
        name = next((name for name, known in named if known == option), None)
        if name is None:
            if sum(other[at] == option for _, other, at in options) == 1:
                continue
            name = re.sub(r"(?:^|_)([a-z])", lambda start: start[1].upper(), field)
            named.append((name, option))
        options_[position] = {"$ref": PLACE + name}
    definitions.update(named)


class Schemas:
    """The schemas of models; named models are components, used by reference."""

    def __init__(self, wanted: Iterable[Wanted]) -> None:
        inputs = [(repr(model), mode, TypeAdapter(model)) for model, mode in wanted]
        self._found, definitions = TypeAdapter.json_schemas(
            inputs, ref_template=PLACE + "{model}", schema_generator=Generator
        )
        self._definitions: dict[str, dict[str, Any]] = definitions.get("$defs", {})
        _name_repeated_objects(self._definitions)
        self._taken_apart: set[str] = set()

    def of(self, model: Any, mode: JsonSchemaMode) -> dict[str, Any]:
        """Return the schema of a model, or a reference to it."""
        return self._found[repr(model), mode]

    def properties(self, model: Any) -> tuple[dict[str, Any], list[str]]:
        """Return the properties of a model, and the required ones; the model is then not a component."""
        schema = self._found[repr(model), "validation"]
        if "$ref" in schema:
            name = schema["$ref"].removeprefix(PLACE)
            self._taken_apart.add(name)
            schema = self._definitions[name]
        return schema.get("properties", {}), schema.get("required", [])

    @property
    def components(self) -> dict[str, Any]:
        """The named schemas, except the models that `properties` has taken apart."""
        return {
            name: schema
            for name, schema in sorted(self._definitions.items())
            if name not in self._taken_apart
        }
