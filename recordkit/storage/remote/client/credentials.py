"""Credentials and addresses of stores, looked up where the stores' own tools look.

obstore reads the environment itself: AWS_ACCESS_KEY_ID and the other variables of AWS, web identities and the service
of instances and containers; GOOGLE_APPLICATION_CREDENTIALS and gcloud's own file; AZURE_STORAGE_ACCOUNT_NAME, keys and
tokens. It reads no profiles of AWS, so these are read here: AWS_PROFILE, ``~/.aws/config`` and ``~/.aws/credentials``
(AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name others). Profiles with single sign-on, roles or programs need
boto3.

This is the one module below the command line that reads the environment, because a library that opens an S3 URL has to
find the credentials as other tools do. The values go to obstore alone: not into settings, errors, pickles or state.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from recordkit.errors import FormatError, MissingError, NotFoundError, PlanError

_STATIC = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
}
# Settings of a profile that only boto3 can follow.
_DYNAMIC = ("sso_session", "sso_start_url", "role_arn", "credential_process", "login_session")
_S3_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_IN_PROFILE = {
    "s3.endpoint_url": "endpoint_url of s3 in the AWS profile",
    "endpoint_url": "endpoint_url of the AWS profile",
}
_AZURE_ENDPOINTS = ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
# With one of these obstore needs no profile.
_IN_ENVIRONMENT = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


def s3_options(*, anonymous: bool, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the options of an S3 client that obstore does not find itself.

    Parameters
    ----------
    anonymous : bool
        Send requests without a signature; no credentials are looked up.
    environment : mapping, optional
        Default: that of the process.

    Returns
    -------
    options : dict
        Of `config`, perhaps `credential_provider`, and `endpoint`, which is None for Amazon's own.

    Raises
    ------
    NotFoundError
        AWS_PROFILE names a profile that no file has.
    MissingError
        The profile needs boto3.
    FormatError
        A file of profiles is damaged.
    PlanError
        The address of the store is none.
    """
    environment = _environment() if environment is None else environment
    profile = _read_profile(environment)
    config: dict[str, Any] = {}
    region = _first(environment, "AWS_REGION", "AWS_DEFAULT_REGION") or profile.get("region")
    if region:
        config["region"] = region
    in_profile = {text: profile.get(name, "") for name, text in _IN_PROFILE.items()}
    endpoint = _endpoint(environment, _S3_ENDPOINTS) or _endpoint(in_profile, in_profile)
    if endpoint is None and any(name in environment for name in _S3_ENDPOINTS):
        # obstore would take the empty text of a variable for an address. This is its own default.
        endpoint = f"https://s3.{region or 'us-east-1'}.amazonaws.com"
    options: dict[str, Any] = {"config": config, "endpoint": endpoint}
    if anonymous:
        config["skip_signature"] = True
    elif not _first(environment, *_IN_ENVIRONMENT):
        static = {ours: profile[theirs] for theirs, ours in _STATIC.items() if profile.get(theirs)}
        if "access_key_id" in static:
            config.update(static)
        elif any(name in profile for name in _DYNAMIC):
            options["credential_provider"] = _boto3_provider(_profile_name(environment))
    return options


def azure_endpoint(account: str, environment: Mapping[str, str] | None = None) -> str | None:
    """Return the address of Azure's store that the environment names, which is an emulator or a private one.

    Raises
    ------
    PlanError
        It is no address.
    """
    environment = _environment() if environment is None else environment
    endpoint = _endpoint(environment, _AZURE_ENDPOINTS)
    if endpoint is None and any(name in environment for name in _AZURE_ENDPOINTS):  # as for S3
        endpoint = f"https://{account}.blob.core.windows.net"
    return endpoint


def azure_account(environment: Mapping[str, str] | None = None) -> str | None:
    """Return the account that the environment names."""
    environment = _environment() if environment is None else environment
    return _first(environment, "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_ACCOUNT_NAME")


def _environment() -> Mapping[str, str]:
    return os.environ  # noqa: TID251 (the stores' own tools find credentials there, see above)


def _first(environment: Mapping[str, str], *names: str) -> str | None:
    """Return the value of the first variable that is set."""
    return next((environment[name] for name in names if environment.get(name)), None)


def _endpoint(values: Mapping[str, str], names: Iterable[str]) -> str | None:
    """Return the first address that is set. One without a scheme or a host would end obstore's thread in a panic."""
    name = next((name for name in names if values.get(name)), None)
    if name is None:
        return None
    text = values[name]
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port that is no number
        is_address = False
    if not is_address or re.search(r"[^!-~]", text):
        raise PlanError(
            path=name,
            expected="an address that begins with http:// or https://",
            got=repr(text.rpartition("@")[2].partition("?")[0]),  # before and behind them there may be secrets
            advice=f"set {name} to the whole address, such as http://localhost:9000",
        )
    return text


def _profile_name(environment: Mapping[str, str]) -> str:
    return _first(environment, "AWS_PROFILE", "AWS_DEFAULT_PROFILE") or "default"


def _read_profile(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of the chosen profile in both files; a name in a section ``services`` has a prefix."""
    name = _profile_name(environment)
    paths = {
        "config": Path(environment.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser(),
        "credentials": Path(environment.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser(),
    }
    config, credentials = (_parse(path) for path in paths.values())
    sections = [config.get(name if name == "default" else f"profile {name}"), credentials.get(name)]
    if sections == [None, None] and name != "default" and not _first(environment, *_IN_ENVIRONMENT):
        raise NotFoundError(
            path=str(paths["config"]),
            expected=f"the profile {name!r} of AWS_PROFILE",
            got="none of that name, nor in " + str(paths["credentials"]),
            advice="correct AWS_PROFILE",
        )
    profile = {key: value for section in sections for key, value in (section or {}).items()}
    for line in config.get(f"services {profile.get('services')}", {}).get("s3", "").splitlines():
        key, equals, value = line.partition("=")
        if equals:
            profile[f"s3.{key.strip()}"] = value.strip()
    return profile


def _parse(path: Path) -> dict[str, dict[str, str]]:
    """Return the sections of a file of profiles; of one that does not exist or may not be read there are none."""
    parser = configparser.RawConfigParser(default_section="\0")
    try:
        parser.read_string(path.read_text())
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return {}
    except (configparser.Error, UnicodeDecodeError, IsADirectoryError):
        # The texts of these errors repeat lines of the file, which may be keys.
        advice = "correct the file, or unset AWS_PROFILE and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise FormatError(
            path=str(path), expected="sections of AWS profiles", got="other text", advice=advice
        ) from None
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _boto3_provider(profile: str) -> Any:
    """Return boto3's credentials for obstore."""
    try:
        import boto3
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        raise MissingError(
            f"the AWS profile {profile!r} has its credentials from single sign-on, a role or a program: it needs boto3",
            advice="pip install boto3",
        ) from None
    return Boto3CredentialProvider(boto3.session.Session(profile_name=profile))
