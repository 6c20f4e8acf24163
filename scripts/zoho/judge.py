"""Holds recorded calls against Zoho's own description of its API.

judge.py CONTRACT FILE: reads the calls that record.py wrote, prints how many there were of each operation, and
each violation with method, path and place; fails if there is one. It is strict: a query parameter or a status
that the description does not have is a violation as well.
"""

import collections
import json
import re
import sys
import urllib.parse

from jsonschema.exceptions import relevance
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.templating.paths.finders import APICallPathFinder
from werkzeug.datastructures import Headers, ImmutableMultiDict

# What Zoho's documentation and its own clients have, but not its description.
DOCUMENTED = {("deleteRecords", "wf_trigger")}

# Paths of Zoho's description whose parameters have other names below.
MISNAMED = {
    "/crm/v8/{module}/{recordID}/__timeline": "/crm/v8/{module}/{recordId}/__timeline",
    "/crm/v8/{module}/actions/count": "/crm/v8/{moduleApiName}/actions/count",
}

# The most characters of a message: it may quote a whole record.
MESSAGE = 300


class Request:
    """A recorded request as openapi-core wants it."""

    def __init__(self, call, host):
        headers = Headers(call["request"]["headers"])
        self.host_url, self.path, self.method = host, call["path"], call["method"].lower()
        self.body = call["request"]["body"].encode()
        self.content_type = headers.get("Content-Type", "").lower()
        query = urllib.parse.parse_qsl(call["query"], keep_blank_values=True)
        self.parameters = RequestParameters(path={}, query=ImmutableMultiDict(query), header=headers)


class Response:
    """A recorded answer as openapi-core wants it."""

    def __init__(self, call):
        self.headers = Headers(call["answer"]["headers"])
        self.status_code, self.data = call["status"], call["answer"]["body"].encode()
        self.content_type = self.headers.get("Content-Type", "").lower()


def with_required(schema):
    """Some of Zoho's objects must have a property that they may not have: it is allowed."""
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict):
        schema["properties"] = {**dict.fromkeys(schema.get("required", []), {}), **schema["properties"]}
    return schema


def is_int64(value):
    """Zoho's description has ids that are numbers in texts; whether it is a text or a number, the type says."""
    return not isinstance(value, str) or (value.isdecimal() and int(value) < 2**63)


def explained(error):
    """What is wrong, for each of several allowed shapes."""
    shapes = collections.defaultdict(list)
    for inner in error.context or ():
        shapes[inner.schema_path[0]].append(inner)
    if not shapes:
        return f"{error.json_path}: {error.message[:MESSAGE]}"
    shapes = (explained(max(inner, key=relevance)) for inner in shapes.values())
    return "; or ".join(dict.fromkeys(shapes))


class Judge:
    def __init__(self, contract):
        with open(contract, encoding="utf-8") as file:
            # Letters, marks and numbers of any script, for which Python has this only.
            document = json.loads(re.sub(r"\\\\p\{[LMN]\}", r"\\\\w", file.read()), object_hook=with_required)
        document["paths"] = {MISNAMED.get(path, path): item for path, item in document["paths"].items()}
        self.host = document["servers"][0]["url"]
        config = Config(spec_validator_cls=None, extra_format_validators={"int64": is_int64})
        self.api = OpenAPI.from_dict(document, config=config)
        self.finder = APICallPathFinder(self.api.spec)
        self.operations = collections.Counter()
        # The calls with a violation, by what it is.
        self.violations = collections.defaultdict(list)

    def call(self, call):
        request, response = Request(call, self.host), Response(call)
        try:
            found = self.finder.find(request.method, self.host + request.path)
        except Exception as error:
            self.operations["unknown"] += 1
            self.violation(call, "request", "path", f"no operation of Zoho's: {error}")
            return
        operation = found.operation["operationId"]
        self.operations[operation] += 1
        for name in self.unknown_parameters(found, request):
            if (operation, name) in DOCUMENTED:
                continue
            self.violation(call, "request", name, f"{name} is not a parameter of this operation")
        for error in self.api.request_validator.iter_errors(request):
            self.error(call, "request", error)
        for error in self.api.response_validator.iter_errors(request, response):
            self.error(call, f"answer {call['status']}", error)

    def unknown_parameters(self, found, request):
        known = {
            parameter["name"]
            for place in (found.path, found.operation)
            for parameter in place.get("parameters", [])
            if parameter["in"] == "query"
        }
        return [name for name in request.parameters.query if name not in known]

    def error(self, call, side, error):
        """Finds the place, which is in the cause of what openapi-core says."""
        cause = error
        while cause is not None and not hasattr(cause, "schema_errors"):
            cause = cause.__cause__
        places = list(getattr(cause, "schema_errors", ()))
        for place in places:
            self.violation(call, side, place.json_path, explained(place))
        if not places:
            self.violation(call, side, type(error).__name__, str(error.__cause__ or error)[:MESSAGE])

    def violation(self, call, side, place, message):
        # The same mistake in a hundred records is one.
        general = re.sub(r"\[\d+\]", "[*]", place)
        path = re.sub(r"\d{15,}", "{id}", call["path"])
        self.violations[call["method"], path, side, general].append(message)

    def report(self):
        for operation, count in sorted(self.operations.items()):
            print(f"{count:7}  {operation}")
        print(f"{self.operations.total():7}  calls validated, {len(self.violations)} kinds of violations")
        for (method, path, side, _), found in sorted(self.violations.items()):
            print(f"{method} {path}: {side}: {found[0]} ({len(found)} times)")
        return not self.violations


if __name__ == "__main__":
    judge = Judge(sys.argv[1])
    with open(sys.argv[2], encoding="utf-8") as calls:
        for line in calls:
            judge.call(json.loads(line))
    sys.exit(0 if judge.report() else 1)
