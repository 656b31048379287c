"""Characters that look like others: what one is called, and which key of the keyboard was meant.

Papers print 400−400 with a minus sign, and a word processor makes a dash of a hyphen: neither is seen in an editor.
"""

import unicodedata

_LOOKALIKES = {
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043\u02d7\ufe58\ufe63\uff0d\u00ad",
    "A": "\u0410\u0391", "B": "\u0412\u0392", "C": "\u0421\u03f9\u216d", "E": "\u0415\u0395", "H": "\u041d\u0397", "I": "\u0406\u0399",
    "K": "\u041a\u039a", "M": "\u041c\u039c", "N": "\u039d", "O": "\u041e\u039f", "P": "\u0420\u03a1", "T": "\u0422\u03a4",
    "X": "\u0425\u03a7", "Z": "\u0396", "a": "\u0430", "c": "\u0441", "e": "\u0435", "i": "\u0456", "o": "\u043e\u03bf", "p": "\u0440\u03c1",
    "x": "\u0445\u00d7", "y": "\u0443", "'": "\u2018\u2019", '"': "\u201c\u201d", ".": "\u2024", ",": "\u201a", ":": "\u2236", "_": "\u203f",
}  # fmt: skip
_MEANT = {lookalike: typed for typed, lookalikes in _LOOKALIKES.items() for lookalike in lookalikes}


def meant(character: str) -> str | None:
    """The ASCII character that this one looks like, or is another form of; None where there is none.

    >>> meant("\\u2212"), meant("\\u0421"), meant("\\uff15"), meant("\\u00e4")
    ('-', 'C', '5', None)
    """
    if character.isascii():
        return None
    if character in _MEANT:
        return _MEANT[character]
    if unicodedata.category(character) == "Zs":
        return " "
    digit = unicodedata.decimal(character, None)
    form = str(digit) if digit is not None else unicodedata.normalize("NFKC", character)
    return form if len(form) == 1 and form.isascii() else None


def described(character: str) -> str:
    """What a character is called, and what to type instead.

    >>> described("\\u2212")
    "'\u2212' is U+2212 (MINUS SIGN); type '-'"
    """
    what = f"U+{ord(character):04X} ({unicodedata.name(character, 'no name')})"
    seen = f"{character!r} is {what}" if character.isprintable() else what
    typed = meant(character)
    return f"{seen}; {'remove it' if typed is None else f'type {typed!r}'}"


def first_unusual(text: str) -> str | None:
    """The first character of a text that is not printable ASCII; None where all are."""
    return next((character for character in text if not " " <= character <= "~"), None)
