"""Names that other programs give to the fields of a contact, in the languages of their users.

They are compared without case, accents and punctuation, so `E-Mail`, `e_mail` and `EMAIL` are one entry.
First and last names have no field of their own: `column_mapping` decides what becomes of them.
"""

from typing import Final

# ruff: noqa: RUF001 - some letters of other alphabets look like those of ours
FIRST_NAME: Final = "first name"
LAST_NAME: Final = "last name"

USUAL_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "phone": (
        "phone", "phone no", "phone nr", "phones", "telephone", "telephone number", "telephone no",
        "tel", "tel no", "tel nr", "mobile", "mobile no", "mobile number", "mobile phone",
        "mobile phone number", "mob", "mob no", "cell", "cellphone", "cell phone", "cell phone number",
        "cell number", "cellular", "msisdn", "whatsapp", "whatsapp number", "whatsapp no", "wa number",
        "contact number", "contact no", "e164", "phone e164", "number to call", "telefon",
        "telefonnummer", "telefonnr", "tel nummer", "telefon mobil", "mobil", "mobilnummer", "mobilnr",
        "mobiltelefon", "handy", "handynummer", "handynr", "rufnummer", "téléphone",
        "numéro de téléphone", "n° de téléphone", "tél", "portable", "téléphone portable",
        "téléphone mobile", "numéro de portable", "teléfono", "número de teléfono", "móvil",
        "teléfono móvil", "celular", "número de celular", "telefone", "número de telefone", "telemóvel",
        "telefono", "cellulare", "numero di telefono", "numero di cellulare", "telefoon",
        "telefoonnummer", "mobiel", "mobiele nummer", "gsm", "telefon numarası", "cep", "cep telefonu",
        "numer telefonu", "komórka", "telefon komórkowy", "puhelin", "puhelinnumero", "telefonszám",
        "nomor telepon", "nomor hp", "no hp", "телефон", "номер телефона", "мобильный",
        "мобильный телефон", "电话", "电话号码", "手机", "手机号", "手机号码", "電話", "電話番号",
        "携帯電話", "携帯番号", "전화번호", "휴대폰", "휴대폰 번호", "هاتف", "رقم الهاتف", "الجوال",
        "फ़ोन", "मोबाइल", "मोबाइल नंबर", "फ़ोन नंबर",
    ),
    "name": (
        "full name", "contact name", "customer name", "client name", "display name", "person",
        "complete name", "your name", "kunde", "kundenname", "vollständiger name", "vor und nachname",
        "vor- und zuname", "nom complet", "nom et prénom", "nombre completo", "nombre y apellidos",
        "nome completo", "nominativo", "volledige naam", "naam", "ad soyad", "adı soyadı",
        "imię i nazwisko", "nama", "nama lengkap", "имя", "фио", "полное имя", "姓名", "名字", "氏名",
        "名前", "お名前", "이름", "성명", "الاسم", "नाम", "पूरा नाम",
    ),
    FIRST_NAME: (
        "first name", "given name", "forename", "vorname", "prénom", "nombre", "primer nombre", "nome",
        "voornaam", "imię", "förnamn", "fornavn", "etunimi", "keresztnév", "ad", "isim",
    ),
    LAST_NAME: (
        "last name", "surname", "family name", "nachname", "familienname", "zuname", "nom de famille",
        "nom", "apellido", "apellidos", "sobrenome", "cognome", "achternaam", "nazwisko", "efternamn",
        "etternavn", "sukunimi", "soyad", "soyadı", "фамилия",
    ),
    "email": (
        "e-mail", "mail", "email address", "email id", "mail address", "mail id", "e-mail-adresse",
        "e-mail adresse", "mailadresse", "elektronische post", "adresse e-mail", "adresse mail",
        "courriel", "adresse électronique", "correo", "correo electrónico", "dirección de correo",
        "endereço de e-mail", "posta elettronica", "indirizzo email", "e-mailadres", "e-posta",
        "e-posta adresi", "adres e-mail", "e-post", "sähköposti", "surel", "эл. почта",
        "электронная почта", "почта", "邮箱", "电子邮件", "邮件", "メール", "メールアドレス", "이메일",
        "البريد الإلكتروني", "ईमेल",
    ),
    "external_id": (
        "id", "customer id", "customer no", "customer number", "customer nr", "client id",
        "client number", "client no", "user id", "member id", "member number", "membership number",
        "contact id", "crm id", "account id", "account number", "record id", "reference id",
        "foreign id", "subscriber id", "person id", "kundennummer", "kundennr", "kunden-nr",
        "kunden-id", "kdnr", "kd-nr", "mitgliedsnummer", "numéro client", "n° client", "identifiant",
        "id client", "número de cliente", "id de cliente", "n.º de cliente", "código de cliente",
        "id do cliente", "codice cliente", "klantnummer", "klant id", "müşteri no", "numer klienta",
        "id klienta", "kundnummer", "kundenummer", "asiakasnumero", "id pelanggan", "номер клиента",
        "客户编号", "顧客番号", "고객번호",
    ),
    "language": (
        "lang", "locale", "preferred language", "language code", "sprache", "langue", "idioma",
        "lingua", "taal", "dil", "język", "språk", "sprog", "kieli", "bahasa", "язык", "语言", "言語",
        "언어", "لغة", "भाषा",
    ),
    "nickname": (
        "nick", "alias", "preferred name", "spitzname", "surnom", "apodo", "apelido", "soprannome",
    ),
    "age": (
        "alter", "âge", "edad", "idade", "età", "leeftijd", "yaş", "wiek", "ålder", "возраст", "年龄",
        "年齢",
    ),
    "gender": (
        "sex", "geschlecht", "sexe", "genre", "sexo", "género", "gênero", "genere", "sesso", "geslacht",
        "cinsiyet", "płeć", "kön", "køn", "пол", "性别", "性別", "성별", "الجنس", "लिंग",
    ),
    "timezone": (
        "time zone", "tz", "zeitzone", "fuseau horaire", "zona horaria", "fuso horário", "tijdzone",
    ),
    "birth_date": (
        "birthday", "birthdate", "date of birth", "dob", "born", "bday", "geburtsdatum", "geburtstag",
        "geb", "geb datum", "date de naissance", "fecha de nacimiento", "cumpleaños",
        "data de nascimento", "aniversário", "data di nascita", "compleanno", "geboortedatum",
        "doğum tarihi", "data urodzenia", "födelsedatum", "fødselsdato", "syntymäaika", "tanggal lahir",
        "дата рождения", "生日", "出生日期", "誕生日", "生年月日", "생년월일", "تاريخ الميلاد",
        "जन्म तिथि",
    ),
    "address.address_line_one": (
        "address", "address 1", "address line 1", "address line one", "street", "street address",
        "street 1", "straße", "strasse", "straße und hausnummer", "anschrift", "adresse", "adresse 1",
        "rue", "dirección", "calle", "endereço", "rua", "indirizzo", "via", "adres", "straat", "ulica",
        "adress", "gatuadress", "osoite", "alamat", "адрес", "улица", "地址", "住所", "주소", "العنوان",
        "पता",
    ),
    "address.address_line_two": (
        "address 2", "address line 2", "address line two", "street 2", "apartment", "suite",
        "adresszusatz", "adresse 2", "complément d'adresse", "complemento",
    ),
    "address.city": (
        "city", "town", "city name", "stadt", "ort", "wohnort", "ville", "ciudad", "cidade", "città",
        "plaats", "woonplaats", "stad", "şehir", "miasto", "by", "kaupunki", "kota", "город", "城市",
        "市", "도시", "المدينة", "शहर",
    ),
    "address.state": (
        "state", "province", "county", "state province", "bundesland", "kanton", "département",
        "provincia", "estado", "provincie", "il", "województwo", "область", "省", "都道府県", "राज्य",
    ),
    "address.post_code": (
        "post code", "postcode", "postal code", "zip", "zip code", "zipcode", "pin code", "pincode",
        "plz", "postleitzahl", "code postal", "código postal", "cep postal", "cap", "posta kodu",
        "kod pocztowy", "postnummer", "postinumero", "kode pos", "почтовый индекс", "индекс", "邮编",
        "邮政编码", "郵便番号", "우편번호", "الرمز البريدي",
    ),
    "address.country": (
        "country", "country name", "land", "pays", "país", "paese", "ülke", "kraj", "maa", "negara",
        "страна", "国家", "国", "국가", "الدولة", "देश",
    ),
    "birth_date.day": (
        "day of birth",
    ),
    "birth_date.month": (
        "birth month", "month of birth",
    ),
    "birth_date.year": (
        "birth year", "year of birth", "yob", "geburtsjahr", "jahrgang",
    ),
}  # fmt: skip

# Words that say whose field it is. A name is also looked up without them, and is then only probably right.
WORDS_AROUND: Final = frozenset({
    "1", "billing", "business", "client", "cliente", "contact", "contacto", "contacts", "customer",
    "customers", "default", "dienstlich", "geschäftlich", "guest", "haupt", "home", "kontakt", "kunde",
    "kunden", "lead", "main", "member", "my", "no", "nr", "num", "office", "optional", "our", "person",
    "personal", "personnel", "preferred", "primary", "principal", "principale", "privat", "private",
    "pro", "recipient", "required", "shipping", "subscriber", "the", "user", "users", "work", "your",
})  # fmt: skip
