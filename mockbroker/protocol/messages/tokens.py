"""Delegation tokens: making, renewing, expiring and describing them (KIP-48).

A token is known by its id; the hmac is the secret that its holder shows.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from typing import Annotated

from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import Bytes, Int16, Int32, Int64, since


@struct
class CreatableRenewers:
    """Somebody who may renew the token."""

    principal_type: str = ""
    principal_name: str = ""


@message(api=38, versions="0-3", flexible="2+")
class CreateDelegationTokenRequest:
    """Make a delegation token.

    v2 flexible - v3 for somebody else (KIP-373)
    """

    owner_principal_type: Annotated[str | None, since(3)] = ""
    owner_principal_name: Annotated[str | None, since(3)] = ""
    renewers: list[CreatableRenewers] = []
    max_lifetime_ms: Int64 = 0


@message(api=38, versions="0-3", flexible="2+")
class CreateDelegationTokenResponse:
    """Answers CreateDelegationTokenRequest.

    v2 flexible - v3 who asked for it
    """

    error_code: Int16 = 0
    principal_type: str = ""
    principal_name: str = ""
    token_requester_principal_type: Annotated[str, since(3)] = ""
    token_requester_principal_name: Annotated[str, since(3)] = ""
    issue_timestamp_ms: Int64 = 0
    expiry_timestamp_ms: Int64 = 0
    max_timestamp_ms: Int64 = 0
    token_id: str = ""
    hmac: Bytes = b""
    throttle_time_ms: Int32 = 0


@message(api=39, versions="0-2", flexible="2+")
class RenewDelegationTokenRequest:
    """Make a token last longer.

    v2 flexible
    """

    hmac: Bytes = b""
    renew_period_ms: Int64 = 0


@message(api=39, versions="0-2", flexible="2+")
class RenewDelegationTokenResponse:
    """Answers RenewDelegationTokenRequest.

    v2 flexible
    """

    error_code: Int16 = 0
    expiry_timestamp_ms: Int64 = 0
    throttle_time_ms: Int32 = 0


@message(api=40, versions="0-2", flexible="2+")
class ExpireDelegationTokenRequest:
    """Make a token end sooner; a negative period ends it now.

    v2 flexible
    """

    hmac: Bytes = b""
    expiry_time_period_ms: Int64 = 0


@message(api=40, versions="0-2", flexible="2+")
class ExpireDelegationTokenResponse:
    """Answers ExpireDelegationTokenRequest.

    v2 flexible
    """

    error_code: Int16 = 0
    expiry_timestamp_ms: Int64 = 0
    throttle_time_ms: Int32 = 0


@struct
class DescribeDelegationTokenOwner:
    """One owner."""

    principal_type: str = ""
    principal_name: str = ""


@message(api=41, versions="0-3", flexible="2+")
class DescribeDelegationTokenRequest:
    """Describe tokens; owners null means all.

    v2 flexible
    """

    owners: list[DescribeDelegationTokenOwner] | None = []


@struct
class DescribedDelegationTokenRenewer:
    """Somebody who may renew the token."""

    principal_type: str = ""
    principal_name: str = ""


@struct
class DescribedDelegationToken:
    """One token.  v3 who asked for it."""

    principal_type: str = ""
    principal_name: str = ""
    token_requester_principal_type: Annotated[str, since(3)] = ""
    token_requester_principal_name: Annotated[str, since(3)] = ""
    issue_timestamp: Int64 = 0
    expiry_timestamp: Int64 = 0
    max_timestamp: Int64 = 0
    token_id: str = ""
    hmac: Bytes = b""
    renewers: list[DescribedDelegationTokenRenewer] = []


@message(api=41, versions="0-3", flexible="2+")
class DescribeDelegationTokenResponse:
    """Answers DescribeDelegationTokenRequest.

    v2 flexible - v3 who asked for the tokens
    """

    error_code: Int16 = 0
    tokens: list[DescribedDelegationToken] = []
    throttle_time_ms: Int32 = 0
