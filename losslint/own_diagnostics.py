"""What losslint says about files and comments themselves: the LL9 codes."""

from __future__ import annotations

from dataclasses import dataclass

from losslint.diagnostic import Severity


@dataclass(frozen=True, slots=True)
class OwnDiagnostic:
    """A diagnostic that no rule file makes."""

    code: str
    name: str
    title: str
    page: str
    severity: Severity = Severity.WARNING


UNUSED_SUPPRESSION = OwnDiagnostic(
    "LL901",
    "unused-suppression",
    "a suppression comment that silences nothing",
    """`# losslint: ignore[LL201] -- reason` silences a rule on its line, or, alone on a line, in the statement below.
Where the rule finds nothing there any more, the comment hides the next finding. Codes that were not selected in this run do
not count as unused. The fix removes what is unused and keeps the rest of the comment; it is safe.""",
)
UNREADABLE_FILE = OwnDiagnostic(
    "LL902",
    "unreadable-file",
    "a file that cannot be read",
    "The file is no regular file, may not be read, or went away while losslint ran. The other files were checked.",
)
UNDECODABLE_FILE = OwnDiagnostic(
    "LL903",
    "undecodable-file",
    "a file whose bytes are not the text its encoding promises",
    """Python source is UTF-8 unless one of its first two lines declares another encoding (`# -*- coding: latin-1 -*-`).
Save the file as UTF-8, or declare its encoding. The other files were checked.""",
)
SYNTAX_ERROR = OwnDiagnostic(
    "LL904",
    "syntax-error",
    "a file that Python cannot parse",
    """losslint reads what the Python it runs under can parse. Mend the error, or run losslint with a newer Python if the
syntax is newer. Only files that may hold a loss, by the words in them, are parsed.""",
)
TOO_COMPLEX = OwnDiagnostic(
    "LL905",
    "too-complex",
    "a file nested too deeply, or with an expression or a class too long, to be analysed",
    """Some generated files nest hundreds of parentheses, sum thousands of terms, or hold a class of 250,000 characters.
Parsing them takes minutes or hundreds of megabytes, or ends the process, so they are left out. Exclude the file to silence
this.""",
)
INTERNAL_ERROR = OwnDiagnostic(
    "LL906",
    "internal-error",
    "losslint failed on a file",
    """This is a bug in losslint or in a rule pack. The other files were checked. Please report the message and, if you
can, the file. With LOSSLINT_DEBUG=1 in the environment the traceback is shown.""",
)
OWN_DIAGNOSTICS = (
    UNUSED_SUPPRESSION,
    UNREADABLE_FILE,
    UNDECODABLE_FILE,
    SYNTAX_ERROR,
    TOO_COMPLEX,
    INTERNAL_ERROR,
)
