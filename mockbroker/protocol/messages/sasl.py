"""SASL: the handshake, the exchange of tokens, and the SCRAM credentials that admins manage.

The tokens inside are opaque here.  Handshake version 0 is followed by tokens without any header at all.
"""

# ruff: noqa: RUF012 - every message gets a fresh list; these are declarations, not shared values

from typing import Annotated

from mockbroker.protocol.schema import message, struct
from mockbroker.protocol.types import Bytes, Int8, Int16, Int32, Int64, since


@message(api=17, versions="0-1", flexible=None)
class SaslHandshakeRequest:
    """Choose a mechanism.  Never became flexible.

    v0 tokens follow as they are, behind a size only - v1 in SaslAuthenticate
    """

    mechanism: str = ""


@message(api=17, versions="0-1", flexible=None)
class SaslHandshakeResponse:
    """Answers SaslHandshakeRequest with the mechanisms there are."""

    error_code: Int16 = 0
    mechanisms: list[str] = []


@message(api=36, versions="0-2", flexible="2+")
class SaslAuthenticateRequest:
    """One token from the client.

    v1 re-authentication (KIP-368) - v2 flexible
    """

    auth_bytes: Bytes = b""


@message(api=36, versions="0-2", flexible="2+")
class SaslAuthenticateResponse:
    """Answers SaslAuthenticateRequest with a token from the broker.

    v1 how long the session may last - v2 flexible
    """

    error_code: Int16 = 0
    error_message: str | None = ""
    auth_bytes: Bytes = b""
    session_lifetime_ms: Annotated[Int64, since(1)] = 0


@struct
class UserName:
    """One user."""

    name: str = ""


@message(api=50, versions="0", flexible="0+")
class DescribeUserScramCredentialsRequest:
    """Describe SCRAM credentials; users null means all (KIP-554)."""

    users: list[UserName] | None = []


@struct
class CredentialInfo:
    """One credential, without its secrets."""

    mechanism: Int8 = 0
    iterations: Int32 = 0


@struct
class DescribeUserScramCredentialsResult:
    """The credentials of one user."""

    user: str = ""
    error_code: Int16 = 0
    error_message: str | None = ""
    credential_infos: list[CredentialInfo] = []


@message(api=50, versions="0", flexible="0+")
class DescribeUserScramCredentialsResponse:
    """Answers DescribeUserScramCredentialsRequest."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: str | None = ""
    results: list[DescribeUserScramCredentialsResult] = []


@struct
class ScramCredentialDeletion:
    """One credential to remove."""

    name: str = ""
    mechanism: Int8 = 0


@struct
class ScramCredentialUpsertion:
    """One credential to make or replace."""

    name: str = ""
    mechanism: Int8 = 0
    iterations: Int32 = 0
    salt: Bytes = b""
    salted_password: Bytes = b""


@message(api=51, versions="0", flexible="0+")
class AlterUserScramCredentialsRequest:
    """Change SCRAM credentials (KIP-554)."""

    deletions: list[ScramCredentialDeletion] = []
    upsertions: list[ScramCredentialUpsertion] = []


@struct
class AlterUserScramCredentialsResult:
    """Whether one user's credentials were changed."""

    user: str = ""
    error_code: Int16 = 0
    error_message: str | None = ""


@message(api=51, versions="0", flexible="0+")
class AlterUserScramCredentialsResponse:
    """Answers AlterUserScramCredentialsRequest."""

    throttle_time_ms: Int32 = 0
    results: list[AlterUserScramCredentialsResult] = []
