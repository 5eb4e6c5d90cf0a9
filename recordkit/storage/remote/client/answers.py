"""Failures of obstore, as facts that may be shown.

obstore's own texts have whole URLs, which may carry signatures, and answers of servers. So no such text leaves this
module: only the status, the store's error code, the kind of failure of a connection, and the system's own words.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_STATUS = re.compile(r"status(?: code)?: (\d{3})\b")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_KIND = re.compile(r"HttpError \{\s*kind: (\w+)")
_SYSTEM = re.compile(r'code: \d+,\s*kind: \w+,\s*message: "([\w ,.()-]{1,100})"')
_BAD_KEY = re.compile(r'InvalidPath \{\s*source: \w+ \{\s*path: "([^"]{1,300})"')
_RANGE = re.compile(r"Requested (\d+)\.\.(\d+), got (\d+)\.\.(\d+)")
# Parts of the URLs at which credentials are asked for.
_CREDENTIALS = re.compile(
    r"/latest/api/token|/latest/meta-data|169\.254\.|//sts\.|/computeMetadata/|oauth2|login\.microsoftonline|"
    r"/metadata/identity|getAccessToken|[Cc]redential"
)
_EXPIRED_CODES = ("ExpiredToken", "InvalidToken", "TokenRefreshRequired")
_AGAIN_CODES = ("SlowDown", "RequestTimeout", "InternalError", "ConditionalRequestConflict", "OperationAborted")

MISSING, EXISTS, CHANGED, DENIED, CREDENTIALS = "missing", "exists", "changed", "denied", "credentials"
NO_RANGES, NO_CONNECTION, REDIRECT, OTHER, BAD_KEY = "no ranges", "no connection", "redirect", "other", "bad key"

_ADVICE = {
    "s3": {
        CREDENTIALS: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, and for public data "
        "AWS_SKIP_SIGNATURE=true",
        DENIED: "check that the AWS credentials are valid and allow it; for public data set AWS_SKIP_SIGNATURE=true",
        REDIRECT: "set AWS_REGION to the region of the bucket",
        NO_CONNECTION: "check the network, AWS_ENDPOINT_URL and AWS_REGION",
    },
    "gs": {
        CREDENTIALS: "set GOOGLE_APPLICATION_CREDENTIALS, or run 'gcloud auth application-default login'",
        DENIED: "check that the Google credentials are valid and allow it",
    },
    "az": {
        CREDENTIALS: "set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_KEY, or run 'az login'",
        DENIED: "check that the Azure credentials are valid and allow it",
        NO_CONNECTION: "check the network and AZURE_STORAGE_ACCOUNT_NAME",
    },
}
_ADVICE["abfs"] = _ADVICE["abfss"] = _ADVICE["az"]


class Answer(NamedTuple):
    """The answer to a request that did not succeed, or the failure to get one.

    `kind` is one of the constants above, `text` what came, and `again` whether the same request may succeed later.
    """

    kind: str
    text: str
    again: bool

    @property
    def is_of_bucket(self) -> bool:
        """True if the bucket or container is missing, and not an object in it."""
        return self.kind == MISSING and ("Bucket" in self.text or "Container" in self.text)

    def advice(self, scheme: str) -> str:
        """Return what to do about it."""
        known = _ADVICE.get(scheme, {}).get(self.kind)
        if known:
            return known
        if self.kind == BAD_KEY:
            return "rename that object, or name the images in a .lst file and give the URL of their folder as `root`"
        if self.kind == NO_RANGES:
            return "use a server that answers ranges, or copy the files to this machine"
        if self.kind == DENIED:
            return "check that the server gives the file to everybody"
        return "check the network and the URL, and try again" if self.again else "check the URL"


class WrongAnswerError(Exception):
    """An answer that looks like a success and is none; its text may be shown."""


def read_answer(error: BaseException, timeout_s: float) -> Answer:
    """Return the facts of an error of obstore.

    Parameters
    ----------
    error : exception
        Error of obstore, or a WrongAnswerError.
    timeout_s : float
        Time that the request had.

    Examples
    --------
    >>> read_answer(OSError("Server returned non-2xx status code: 503 Service Unavailable: <Code>SlowDown</Code>"), 30)
    Answer(kind='other', text='HTTP 503 SlowDown', again=True)
    """
    if isinstance(error, WrongAnswerError):
        return Answer(OTHER, str(error), again=True)
    text, name = str(error), type(error).__name__
    status, code = _number(_STATUS.search(text)), _group(_CODE.search(text))
    shown = " ".join(filter(None, (f"HTTP {status}" if status else "", code)))
    if _asked_for_credentials(text):
        return Answer(CREDENTIALS, "no credentials", again=False)
    if name == "AlreadyExistsError" or status == 304:
        return Answer(EXISTS, shown, again=False)
    if name == "PreconditionError" or status == 412:
        return Answer(CHANGED, shown, again=False)
    if isinstance(error, FileNotFoundError) or name == "NotFoundError" or status == 404:
        return Answer(MISSING, shown or "HTTP 404", again=False)
    if status:
        return _from_status(status, code, shown)
    return _from_connection(text, timeout_s)


def _from_status(status: int, code: str, shown: str) -> Answer:
    if code in _AGAIN_CODES or status in (408, 409, 429) or status >= 500:
        return Answer(OTHER, shown, again=True)
    if status in (301, 307, 308) or code in ("AuthorizationHeaderMalformed", "PermanentRedirect"):
        return Answer(REDIRECT, shown, again=False)
    if status in (401, 403) or code in _EXPIRED_CODES:  # S3 answers 400 to these
        return Answer(DENIED, shown, again=False)
    return Answer(NO_RANGES if status == 416 else OTHER, shown, again=False)


def _from_connection(text: str, timeout_s: float) -> Answer:
    wrong = _RANGE.search(text)
    if wrong:
        asked, end, got, got_end = map(int, wrong.groups())
        return Answer(OTHER, f"bytes {got} to {got_end - 1} for bytes {asked} to {end - 1}", again=True)
    if bad_key := _BAD_KEY.search(text):
        reason = "which has an empty part, '.', '..' or a control character"
        return Answer(BAD_KEY, f"the key {bad_key[1]!r}, {reason}", again=False)
    if "NotSupported {" in text or "NotPartial" in text:
        return Answer(NO_RANGES, "the whole file in place of a range", again=False)
    if "redirect without LOCATION" in text:  # obstore's words for the redirect of S3 to another region
        return Answer(REDIRECT, "a redirect to another region", again=False)
    if "BadScheme" in text:
        return Answer(NO_CONNECTION, "an address that begins with http://, where https:// is expected", again=False)
    kind, system = _group(_KIND.search(text)), _group(_SYSTEM.search(text))
    if kind == "Timeout" or "TimedOut" in text:
        return Answer(OTHER, f"no whole answer within {timeout_s:.3g} s", again=True)
    if kind == "Connect" or "dns error" in text:
        reason = system or ("the name of the host is unknown" if "dns error" in text else "")
        return Answer(NO_CONNECTION, ": ".join(filter(None, ("no connection", reason))), again=True)
    if kind or "error sending request" in text or "body error" in text or "IncompleteMessage" in text:
        return Answer(OTHER, f"a connection that ended early{': ' + system if system else ''}", again=True)
    variant = re.search(r"\b(\w+) \{\s*\w+:", text.partition("Debug source:")[2])
    return Answer(OTHER, f"a failure of obstore ({variant[1] if variant else 'unknown'})", again=False)


def _asked_for_credentials(text: str) -> bool:
    """Return whether the request that failed asked for credentials in place of data."""
    request = re.search(r"Error performing \w+ (\S+) in |uri: Some\(\s*(\S+?),?\s*\)", text)
    if request:
        return _CREDENTIALS.search(request[1] or request[2]) is not None
    return re.search(r"MissingCredential|Missing ?Access ?Key|[Cc]redentials? (not|could)", text) is not None


def _number(match: re.Match[str] | None) -> int:
    return int(match[1]) if match else 0


def _group(match: re.Match[str] | None) -> str:
    return match[1] if match else ""
