"""Text that a format shows as it is: nothing from a record or the settings can break out of a table's cell."""

import re


def escape_markdown(text: object) -> str:
    """Text that Markdown shows as it is, on one line, within the cell of a table."""
    return re.sub(r"([\\`*_{}\[\]<>|#~&])", r"\\\1", " ".join(str(text).split()))


def escape_tex(text: object) -> str:
    """Text that LaTeX prints as it is."""
    special = {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "×": r"$\times$",
        "±": r"$\pm$",
        "−": "$-$",
        "–": "--",
        "√": r"$\surd$",
        "“": "``",
        "”": "''",
        "’": "'",
        **{character: f"\\{character}" for character in "&%$#_{}"},
    }
    plain = " ".join(str(text).split())
    # a failed run's message may hold anything; what no LaTeX font is sure to have would stop the document
    return "".join(special.get(c) or (c if c.isprintable() and ord(c) < 0x100 else "?") for c in plain)
