"""moto, an S3 server, behind a check of every signature with botocore, AWS's own implementation: moto takes any.

Arguments: port, key, secret. Requests with the header `X-Test` are the test's own and are not checked.
"""

import datetime
import hashlib
import io
import sys
from urllib.parse import parse_qsl, urlsplit

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

PORT, KEY, SECRET = int(sys.argv[1]), sys.argv[2], sys.argv[3]
CREDENTIALS = Credentials(KEY, SECRET)
APPLICATION = DomainDispatcherApplication(create_backend_app)


def parted(text):
    """`Credential=…, SignedHeaders=…, Signature=…`"""
    return dict(part.strip().split("=", 1) for part in text.split(","))


def headers_of(environ):
    names = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            names[name.replace("_", "-").lower()] = environ[name]
    return names


def signature(auth_of, credential, signed, date, environ, query):
    """What botocore signs this request with."""
    _, _, region, service, _ = credential.split("/")
    auth = auth_of(CREDENTIALS, service, region)
    path = urlsplit(environ["REQUEST_URI"]).path
    every = headers_of(environ)
    headers = {name: every[name] for name in signed.split(";")}
    url = f"http://{every['host']}{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method=environ["REQUEST_METHOD"], url=url, headers=headers)
    request.context["timestamp"] = date
    return auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)


def wrong(environ):
    """What is wrong with the request's signature; nothing if it is right."""
    query = urlsplit(environ["REQUEST_URI"]).query
    values = dict(parse_qsl(query))
    if "X-Amz-Signature" in values:
        date, lasts = values["X-Amz-Date"], datetime.timedelta(seconds=int(values["X-Amz-Expires"]))
        begun = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        if datetime.datetime.now(datetime.timezone.utc) > begun + lasts:
            return "AccessDenied"
        rest = "&".join(part for part in query.split("&") if not part.startswith("X-Amz-Signature="))
        credential, signed, claimed = values["X-Amz-Credential"], values["X-Amz-SignedHeaders"], values["X-Amz-Signature"]
        auth_of, query = S3SigV4QueryAuth, rest
    elif environ.get("HTTP_AUTHORIZATION", "").startswith("AWS4-HMAC-SHA256 "):
        parts = parted(environ["HTTP_AUTHORIZATION"].split(" ", 1)[1])
        credential, signed, claimed = parts["Credential"], parts["SignedHeaders"], parts["Signature"]
        auth_of, date = S3SigV4Auth, environ["HTTP_X_AMZ_DATE"]
        said = environ["HTTP_X_AMZ_CONTENT_SHA256"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if len(said) == 64 and said != hashlib.sha256(body).hexdigest():
            return "XAmzContentSHA256Mismatch"
    else:
        return "AccessDenied"
    if credential.split("/")[0] != KEY:
        return "InvalidAccessKeyId"
    matches = claimed == signature(auth_of, credential, signed, date, environ, query)
    return None if matches else "SignatureDoesNotMatch"


def checked(environ, start_response):
    code = None if "HTTP_X_TEST" in environ else wrong(environ)
    if code is None:
        return APPLICATION(environ, start_response)
    start_response("403 Forbidden", [("Content-Type", "application/xml")])
    return [f"<Error><Code>{code}</Code><Message>the signature was looked at</Message></Error>".encode()]


run_simple("127.0.0.1", PORT, checked, threaded=True)
