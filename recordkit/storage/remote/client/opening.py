"""The obstore client of a root: with its address, credentials, and limits of time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from recordkit.errors import PlanError
from recordkit.storage.remote.client import credentials, library
from recordkit.storage.remote.settings import RemoteSettings

_CONNECT_S = 10


def open_client(root: str, settings: RemoteSettings, *, timeout_s: float, retry_s: float = 0) -> Any:
    """Return an obstore client.

    Parameters
    ----------
    root : str
        Root of a `Url`.
    settings : RemoteSettings
    timeout_s : float
        Longest time of one request.
    retry_s : float, default 0
        Longest time in which obstore repeats a request by itself. 0: it does not, because the store does.

    Raises
    ------
    MissingError
        obstore, or boto3 for a profile that needs it, is not installed.
    PlanError, NotFoundError, FormatError
        The account or the profile is missing or wrong.
    """
    scheme, _, authority = root.partition("://")
    obstore = library.load(scheme)
    options: dict[str, Any] = {
        "retry_config": {
            "max_retries": 10 if retry_s else 0,
            "retry_timeout": timedelta(seconds=retry_s),
            "backoff": {"init_backoff": timedelta(seconds=0.2), "max_backoff": timedelta(seconds=10), "base": 2},
        }
    }
    client_options: dict[str, Any] = {
        "timeout": timedelta(seconds=timeout_s),
        "connect_timeout": timedelta(seconds=min(_CONNECT_S, timeout_s)),
    }
    options["client_options"] = client_options
    if scheme in ("http", "https"):
        client_options["allow_http"] = scheme == "http"
        return obstore.store.HTTPStore.from_url(root, **options)
    if scheme == "s3":
        return _open_s3(obstore, authority, settings, options)
    if scheme == "gs":
        # An address without TLS can only come from the user's own file of a service account, for an emulator.
        client_options["allow_http"] = True
        config = {"skip_signature": True} if settings.anonymous else {}
        return obstore.store.GCSStore(authority, config=config, **options)
    return _open_azure(obstore, authority, settings, options)


def _open_s3(obstore: Any, bucket: str, settings: RemoteSettings, options: dict[str, Any]) -> Any:
    found = credentials.s3_options(anonymous=settings.anonymous)
    endpoint = found.pop("endpoint")
    if endpoint:
        found["config"]["endpoint"] = endpoint
        _allow_http(options, endpoint)
    return obstore.store.S3Store(bucket, **found, **options)


def _open_azure(obstore: Any, authority: str, settings: RemoteSettings, options: dict[str, Any]) -> Any:
    container, _, host = authority.rpartition("@")
    container, account = (container, host.partition(".")[0]) if container else (host, credentials.azure_account())
    if not account:
        advice = "set AZURE_STORAGE_ACCOUNT_NAME, or write abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/KEY"
        raise PlanError(path=f"az://{container}", expected="the name of a storage account", got="none", advice=advice)
    config: dict[str, Any] = {"account_name": account}
    if settings.anonymous:
        config["skip_signature"] = True
    endpoint = credentials.azure_endpoint(account)
    if endpoint:
        config["endpoint"] = endpoint
        _allow_http(options, endpoint)
    return obstore.store.AzureStore(container, config=config, **options)


def _allow_http(options: dict[str, Any], endpoint: str) -> None:
    """Allow an address without TLS, which the user has chosen by naming it."""
    options["client_options"]["allow_http"] = endpoint.lower().startswith("http://")
