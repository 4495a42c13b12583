"""The field that is proposed for a column, for names of columns as real files have them."""

import pytest

from schemas.items.contacts import known_column
from schemas.operations import BY_ID, BY_PHONE, CONTACT
from schemas.previews.column_mapping import Match, propose
from schemas.previews.usual_names import FIRST_NAME, LAST_NAME, USUAL_NAMES

# ruff: noqa: RUF001 - some letters of other alphabets look like those of ours
FIELDS = {
    "phone": (
        "Phone, PHONE, phone_number, phoneNumber, Phone Number, Phone No., Mobile No., Mobile, "
        "mobile-number, Cell, Cell Phone, Tel., Tel. Nr., Telefon, Telefonnummer, Telefon-Nr., "
        "Telefon (privat), Handynummer, Rufnummer, Téléphone, N° de téléphone, Teléfono, Móvil, "
        "Celular, Telemóvel, Cellulare, Telefoonnummer, Telefon Numarası, Cep Telefonu, "
        "Numer telefonu, Телефон, Номер телефона, 手机号码, 電話番号, 휴대폰 번호, رقم الهاتف, "
        "मोबाइल नंबर, WhatsApp Number, MSISDN, Telphone, Phone (WhatsApp), Primary Phone, "
        "Customer Phone Number, Contact No, MobilePhone"
    ),
    "email": (
        "E-Mail, eMail, Email Address, E-Mail Adresse, E-Mail-Adresse, EMAIL_ID, Courriel, "
        "Correo electrónico, E-posta, メールアドレス, 邮箱, Primary Email, E-Mail (geschäftlich), "
        "Emial Address"
    ),
    "name": (
        "Full Name, FullName, Kundenname, Nom complet, Nombre y apellidos, Ad Soyad, ФИО, 氏名, 姓名, "
        "Vorname, First Name, Surname, Contact Name"
    ),
    "external_id": (
        "Kundennr, Kunden-Nr., Kundennummer, Customer ID, customerId, CRM ID, ID, externalId, "
        "External-ID, N° client, KdNr, user_id"
    ),
    "language": ("Sprache, Langue, Idioma, locale, Preferred Language"),
    "birth_date": ("Geburtsdatum, Date of Birth, DOB, birthDate, Birthday, Date de naissance, 生年月日"),
    "address.post_code": ("PLZ, ZIP, Zip Code, Postleitzahl, Code postal, PIN Code, 郵便番号"),
    "address.city": ("City, Ort, Stadt, Ville, Ciudad, Город, Billing City"),
    "address.country": ("Country, Land, Pays, País, 国家"),
    "address.address_line_one": ("Street, Straße, Strasse, Address, Address Line 1, Anschrift, Dirección"),
    "gender": ("Gender, Sex, Geschlecht, Género, Пол"),
    "timezone": ("Time Zone, Zeitzone, tz"),
    "properties.plan": ("Plan, PLAN, properties.plan"),
    "metadata.shoe": ("metadata.shoe"),
    "ref": ("Ref"),
}
LEFT_OUT = (
    "Notiz, Notes, Status, Comment, Company, Tags, Source, Created At, Phone Type, Email Opt-In, "
    "Lead Source, Owner, Score, Fax, Website, Position, Anrede, Umsatz, Mobile Network, error_code, "
    "error_message"
)


def _cases() -> list[tuple[str, str]]:
    pairs = [(name, field) for field, names in FIELDS.items() for name in names.split(", ")]
    return pairs + [(name, "") for name in LEFT_OUT.split(", ")]


@pytest.mark.parametrize(("name", "field"), _cases())
def test_a_column_is_proposed_for_its_field(name: str, field: str) -> None:
    (proposal,) = propose([name], CONTACT, ["plan", "colour"], ["x"])
    assert proposal.field == field


def test_the_reason_says_how_sure_a_proposal_is() -> None:
    names = ["phone", "E Mail", "Sprache", "Geshlecht", "Notiz", "error_code"]
    assert [proposal.reason for proposal in propose(names, CONTACT)] == [
        Match.EXACT,
        Match.SPELLING,
        Match.USUAL,
        Match.SIMILAR,
        Match.UNKNOWN,
        Match.VERDICT,
    ]


def test_a_field_goes_to_the_column_with_the_best_reason() -> None:
    found = propose(["Mobile", "Phone", "Telefon privat"], CONTACT)
    assert [proposal.field for proposal in found] == ["", "phone", ""]
    assert found[0].reason is Match.TAKEN


def test_a_first_and_a_last_name_are_both_kept() -> None:
    assert _fields(["Vorname", "Nachname"]) == ["metadata.first_name", "metadata.last_name"]
    assert _fields(["First Name", "Name"]) == ["metadata.first_name", "name"]
    assert _fields(["Nachname"]) == ["name"]


def test_a_column_of_json_is_one_only_if_its_cells_are() -> None:
    names = ["Address", "metadata", "phone"]
    street = propose(names, CONTACT, samples=["Main Street 5", "vip", "+1"])
    assert [proposal.field for proposal in street] == ["address.address_line_one", "", "phone"]
    objects = propose(names, CONTACT, samples=['{"city": "Bonn"}', ' {"a": 1}', "+1"])
    assert [proposal.field for proposal in objects] == ["address", "metadata", "phone"]


def test_a_reference_has_one_name_only() -> None:
    names = ["Phone", "Kundennr", "contact_id", "City"]
    assert [proposal.field for proposal in propose(names, BY_ID)] == ["", "", "id", ""]
    assert [proposal.field for proposal in propose(["Kundennr", "Handy"], BY_PHONE)] == ["", "phone"]


def test_by_name_is_what_the_api_reads_by_itself() -> None:
    names = ["phoneNumber", "Mobile", "error_code"]
    assert [proposal.by_name for proposal in propose(names, CONTACT)] == ["phone", None, ""]


def test_each_column_has_a_key_of_metadata_of_its_own() -> None:
    keys = [
        proposal.key for proposal in propose(["Notiz!", "notiz", "notiz_2", "", "***", "x" * 300], CONTACT)
    ]
    assert keys == ["notiz", "notiz_2", "notiz_2_3", "column_4", "column_5", "x" * 60]
    assert all(known_column(f"metadata.{key}") == f"metadata.{key}" for key in keys)


def test_hostile_names_are_only_names() -> None:
    names = ["<script>alert(1)</script>", "\u202egnp.exe", "🙂", "\0", "a" * 60_000, "=cmd|' /C calc'!A0", ""]
    assert _fields(names) == [""] * len(names)


def test_every_usual_name_belongs_to_a_field() -> None:
    for field, names in USUAL_NAMES.items():
        assert field in {FIRST_NAME, LAST_NAME} or known_column(field) == field
        assert names


def _fields(names: list[str]) -> list[str]:
    return [proposal.field for proposal in propose(names, CONTACT)]
