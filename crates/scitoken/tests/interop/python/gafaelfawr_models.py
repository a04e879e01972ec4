"""Gafaelfawr's models in Pydantic, as an oracle: one JSON question a line, one JSON answer a line.

A question is {"model": name, "input": value}. The answer has "ok" and either the JSON of the model with and without
nulls, or the errors; "raised" names an exception that is no validation error.
"""

import base64
import json
import sys
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    field_validator,
)

try:
    from safir.pydantic import UtcDatetime
except ImportError:

    def to_utc(value: datetime) -> datetime:
        if value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value.astimezone(UTC)

    UtcDatetime = Annotated[datetime, AfterValidator(to_utc)]

USERNAME = r"^[a-z0-9](?:[a-z0-9]|-[a-z0-9])*[a-z](?:[a-z0-9]|-[a-z0-9])*$"
GROUPNAME = r"^([a-zA-Z]|[a-zA-Z0-9][a-zA-Z0-9._-]*[a-zA-Z])[a-zA-Z0-9._-]*$"


def read_scopes(value):
    if isinstance(value, str):
        return set(value.split(",")) if value else set()
    return set(value)


Scopes = Annotated[
    set[str],
    PlainValidator(read_scopes),
    PlainSerializer(sorted, return_type=list[str], when_used="json"),
]
Timestamp = Annotated[
    UtcDatetime,
    PlainSerializer(lambda time: int(time.timestamp()), return_type=int),
]
Name = Annotated[str, Field(min_length=1, max_length=64)]
NotEmpty = Annotated[str, Field(min_length=1)]
Key = Annotated[str, Field(min_length=22, max_length=22)]
Id = Annotated[int, Field(ge=1)]

TokenType = Enum(
    "TokenType",
    {n: n for n in ["session", "user", "notebook", "internal", "service", "oidc"]},
)


class Group(BaseModel):
    name: Annotated[str, Field(min_length=1, pattern=GROUPNAME)]
    id: int


class TokenBase(BaseModel):
    username: Name
    token_type: TokenType
    service: Name | None = None
    scopes: Scopes
    created: Timestamp = Field(
        default_factory=lambda: datetime.now(tz=UTC).replace(microsecond=0)
    )
    expires: Timestamp | None = None


class TokenInfo(TokenBase):
    token: Key
    token_name: Name | None = None
    last_used: Timestamp | None = None
    parent: Key | None = None


class TokenUserInfo(BaseModel):
    username: Name
    name: NotEmpty | None = None
    email: NotEmpty | None = None
    uid: Id | None = None
    gid: Id | None = None
    groups: list[Group] | None = None


class Token(BaseModel):
    key: str
    secret: str


class TokenData(TokenBase, TokenUserInfo):
    token: Token


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NotebookQuota(Strict):
    cpu: float
    memory: float
    spawn: bool = True


class TapQuota(Strict):
    concurrent: int


class Quota(Strict):
    api: dict[str, int] = {}
    disk: dict[str, int] = {}
    notebook: NotebookQuota | None = None
    tap: dict[str, TapQuota] = {}


class UserInfo(BaseModel):
    username: Name
    name: NotEmpty | None = None
    email: NotEmpty | None = None
    uid: Id | None = None
    gid: Id | None = None
    groups: list[Group] = []
    quota: Quota | None = None


class AdminTokenRequest(BaseModel):
    username: Annotated[str, Field(min_length=1, max_length=64, pattern=USERNAME)]
    token_type: TokenType
    token_name: Annotated[Name | None, Field(validate_default=True)] = None
    scopes: Scopes = set()
    expires: UtcDatetime | None = None
    name: NotEmpty | None = None
    email: NotEmpty | None = None
    uid: Id | None = None
    gid: Id | None = None
    groups: list[Group] | None = None

    @field_validator("token_type")
    @classmethod
    def of_two_types(cls, value):
        if value.name not in ("service", "user"):
            raise ValueError("token_type must be service or user")
        return value

    @field_validator("token_name")
    @classmethod
    def named_or_not(cls, value, info):
        kind = info.data.get("token_type")
        if kind is None:
            return None
        if value and kind.name == "service":
            raise ValueError("Tokens of type service cannot have a name")
        if not value and kind.name == "user":
            raise ValueError("Tokens of type user must have a name")
        return value


class UserTokenRequest(BaseModel):
    token_name: Name
    scopes: Scopes = set()
    expires: UtcDatetime | None = None


class UserTokenModifyRequest(BaseModel):
    token_name: Name | None = None
    scopes: Scopes | None = None
    expires: UtcDatetime | None = None


class Refused(Exception):
    pass


def is_token(text):
    key, dot, secret = text.removeprefix("gt-").partition(".")
    return text.startswith("gt-") and dot and len(key) == 22 and len(secret) == 22


def read_authorization(header):
    """The token in an Authorization header, None if there is none."""
    if not header:
        return None
    try:
        scheme, rest = header.split(None, 1)
    except ValueError:
        raise Refused("invalid_request") from None
    if scheme.lower() == "bearer":
        if not is_token(rest):
            raise Refused("invalid_token")
        return rest
    if scheme.lower() != "basic":
        raise Refused("invalid_request")
    try:
        user, password = base64.b64decode(rest).decode().strip().split(":")
    except ValueError:
        raise Refused("invalid_request") from None
    found = [text for text in (user, password) if is_token(text)]
    if len(set(found)) > 1:
        raise Refused("invalid_request")
    return found[0] if found else None


def answer(question):
    name, value = question["model"], question["input"]
    try:
        if name == "Authorization":
            return {"ok": True, "token": read_authorization(value)}
        model = globals()[name].model_validate(value)
        return {
            "ok": True,
            "json": json.loads(model.model_dump_json()),
            "without_nulls": json.loads(model.model_dump_json(exclude_none=True)),
            "as_sent": json.loads(model.model_dump_json(exclude_unset=True)),
        }
    except ValidationError as error:
        errors = [{k: list(e[k]) if k == "loc" else e[k] for k in ("loc", "type", "msg")} for e in error.errors()]
        return {"ok": False, "errors": errors}
    except Refused as error:
        return {"ok": False, "error": str(error)}
    except Exception as error:
        return {"ok": False, "raised": type(error).__name__}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))))
