"""Zoho's SDK for Python, signed in to the simulator, and what looks at what it made of an answer.
The counterpart of sdk.mjs."""

import datetime
import importlib
import json
import os
import re
import sys
import tempfile
import traceback
import urllib.request

URL, FOLDER = os.environ["ZOHO_URL"], sys.argv[1]
ROOT = "zohocrmsdk.src.com.zoho"
API = ROOT + ".crm.api"


def load(package, *names):
    module = importlib.import_module(package)
    return [getattr(module, name) for name in names]


OAuthToken, = load(ROOT + ".api.authenticator", "OAuthToken")
FileStore, = load(ROOT + ".api.authenticator.store", "FileStore")
HeaderMap, Initializer, ParameterMap = load(API, "HeaderMap", "Initializer", "ParameterMap")
DataCenter, = load(API + ".dc", "DataCenter")
SDKConfig, = load(API + ".sdk_config", "SDKConfig")
SDKException, = load(API + ".exception", "SDKException")
Choice, = load(API + ".util", "Choice")

with open(os.path.join(os.path.dirname(__file__), "known.json"), encoding="utf-8") as file:
    KNOWN = json.load(file)

counts = {"passed": 0, "failed": 0}


def step(title):
    """Runs the function that it decorates, at once."""

    def run(work):
        try:
            work()
            counts["passed"] += 1
        except Exception as error:  # whatever the SDK throws
            counts["failed"] += 1
            print(f"  FAILED {title}: {type(error).__name__} {error}")
            print("".join(traceback.format_tb(error.__traceback__)[1:2]).rstrip())

    return run


def finish():
    done, failed = counts["passed"], counts["failed"]
    print(f"zohocrmsdk8-0: {done} of {done + failed} steps passed")
    sys.exit(1 if failed or not done else 0)


# --- Signing in ---------------------------------------------------------------


def sign_in(**of_token):
    """In a new place: the SDK would take an earlier token out of it."""
    place = tempfile.mkdtemp(dir=FOLDER)
    environment = DataCenter.Environment(URL, URL + "/oauth/v2/token", URL)
    token = OAuthToken(**of_token)
    store = FileStore(os.path.join(place, "tokens"))
    config = SDKConfig(auto_refresh_fields=False, pick_list_validation=False)
    Initializer.initialize(environment, token, store, config, place)
    return token


CLIENT = {"client_id": "test", "client_secret": "test"}


# --- The simulator's other side -------------------------------------------------


def control(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{URL}/__sim/{path}", data=data, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or "null")


def grant_more(*more):
    scopes = control("GET", "settings")["scopes"]
    control("POST", "settings", {"scopes": [*scopes, *more]})


def with_fault(fault, work):
    """The next call meets this fault."""
    control("POST", "faults", [{"fault": fault, "match": {"times": 1}}])
    try:
        return work()
    finally:
        control("DELETE", "faults")


# --- Making requests -------------------------------------------------------------


def fill(made, **values):
    for key, value in values.items():
        getattr(made, "set_" + key)(value)
    return made


def new(package, name, **values):
    return fill(load(f"{API}.{package}", name)[0](), **values)


def record(values):
    made = new("record", "Record")
    for key, value in values.items():
        made.add_key_value(key, value)
    return made


def records(*every):
    return new("record", "BodyWrapper", data=[record(values) for values in every], trigger=[])


def parameters(*pairs, kind=ParameterMap):
    made = kind()
    for key, value in pairs:
        made.add(key, value)
    return made


# --- Looking at answers ------------------------------------------------------------


def equal(got, expected, about=""):
    assert got == expected, f"{about} {got!r} is not {expected!r}"


def parsed(response, status, package, name):
    """The SDK's object of an answer: of this class, holding all that the answer said, in words that
    the SDK knows."""
    made, raw = response.get_object(), response.get_response_json()
    equal(response.get_status_code(), status, raw)
    assert isinstance(made, load(f"{API}.{package}", name)[0]), f"{type(made)} of {raw}"
    lost = []
    compare(raw, made, "", lost)
    assert not lost, f"{lost} of {str(raw)[:400]}"
    check_words(made, package)
    return made


def entries(response, status, package, getter, name="ActionWrapper"):
    found = getattr(parsed(response, status, package, name), getter)()
    for entry in found:
        check_words(entry, package)
    return found


def refused(exception, package, code, **details):
    """An error, of a call or of one record."""
    assert isinstance(exception, load(f"{API}.{package}", "APIException")[0]), f"{type(exception)} is no APIException"
    check_words(exception, package)
    equal(exception.get_status().get_value(), "error")
    equal(exception.get_code().get_value(), code)
    for key, value in details.items():
        equal(str(exception.get_details().get(key)), str(value), key)


def succeeded(entry, package, message):
    assert isinstance(entry, load(f"{API}.{package}", "SuccessResponse")[0]), f"{type(entry)} is no SuccessResponse"
    equal(entry.get_status().get_value(), "success")
    equal(entry.get_code().get_value(), "SUCCESS")
    said = entry.get_message()
    equal(said.get_value() if isinstance(said, Choice) else said, message)
    return entry.get_details()


def rejected(work, code, message):
    try:
        work()
    except SDKException as error:
        equal((error.code, error.error_message), (code, message))
    else:
        raise AssertionError(f"not refused with {message}")


def plain(text):
    return re.sub("[^a-z0-9]", "", text.lower())


def compare(raw, made, path, lost):
    """Lists what an answer says and the object that the SDK made of it does not. What is null says
    nothing."""
    if raw is None or re.sub(r"\[\d+\]", "[]", path) in KNOWN["lost"]:
        return
    if isinstance(raw, list):
        for place, value in enumerate(raw):
            item = made[place] if isinstance(made, list) and place < len(made) else None
            compare(value, item, f"{path}[{place}]", lost)
    elif isinstance(raw, dict):
        for key, value in raw.items():
            compare(value, member(made, key), f"{path}.{key}", lost)
    elif not same(raw, made.get_value() if isinstance(made, Choice) else made):
        lost.append(f"{path}: {raw!r} became {made!r}")


def member(made, key):
    if hasattr(made, "get_key_values"):
        made = made.get_key_values()
    if isinstance(made, dict):
        # Where the SDK does not know the module, it takes the field Name for its own name of a record.
        return made.get(key, made.get("name") if key == "Name" else None)
    if made is None:
        return None
    prefix = f"_{type(made).__name__}__"
    own = {plain(name.removeprefix(prefix)): value for name, value in vars(made).items()}
    return own.get(plain(key))


def same(raw, made):
    if isinstance(made, datetime.datetime):
        shape = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d"
        return bool(re.fullmatch(shape, raw)) and made == datetime.datetime.fromisoformat(raw)
    if isinstance(made, datetime.date):
        return made.isoformat() == raw
    if isinstance(raw, str) and isinstance(made, int):
        return raw == str(made)
    return type(raw) is type(made) and raw == made


def check_words(made, package):
    """Where the SDK lists the words of a code or message, the simulator uses one of them."""
    name = type(made).__name__
    members = Initializer.json_details.get(f"{API}.{package}.{name}", {})
    for key in ("code", "message", "status", "action"):
        words = members.get(key, {}).get("values", [])
        word = member(made, key)
        word = word.get_value() if isinstance(word, Choice) else None
        heard = plain(word or "") in [plain(known) for known in [*words, *KNOWN["words"]]]
        assert not words or word is None or heard, f"{package}.{name} knows no {key} {word!r}"
