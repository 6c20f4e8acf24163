"""Each kind of refusal, on the module that drive.py has made. The counterpart of refusals.mjs."""

from sdk import API, CLIENT, Choice, control, entries, equal, load, parameters, parsed, record, records
from sdk import refused, rejected, sign_in, step, succeeded, with_fault

RecordOperations, Search = load(API + ".record.record_operations", "RecordOperations", "SearchRecordsParam")
courses = RecordOperations("Lessons")


def written(response, status):
    return entries(response, status, "record", "get_data")


def insert(*every):
    return courses.create_records(records(*every))


@step("a mandatory field is missing")
def _():
    entry = written(insert({"Seats": 3}), 400)[0]
    refused(entry, "record", "MANDATORY_NOT_FOUND", api_name="Name", json_path="$.data[0].Name")


@step("data is invalid: type, length, choice, lookup")
def _():
    for values, details in [
        ({"Mail": "nobody"}, {"api_name": "Mail", "expected_data_type": "email"}),
        ({"Course_Key": "k" * 101}, {"api_name": "Course_Key", "maximum_length": 100}),
        ({"Phone": "n/a"}, {"api_name": "Phone", "expected_data_type": "phone"}),
        ({"Teacher": record({"id": 1})}, {"api_name": "Teacher", "json_path": "$.data[0].Teacher.id"}),
        ({"State": Choice("Over")}, {"api_name": "State"}),
    ]:
        entry = written(insert({"Name": "Wrong", **values}), 400)[0]
        refused(entry, "record", "INVALID_DATA", **details)


@step("data is a duplicate")
def _():
    first = written(insert({"Name": "Art", "Course_Key": "ART"}), 201)[0].get_details()["id"]
    entry = written(insert({"Name": "Art again", "Course_Key": "art"}), 400)[0]
    refused(entry, "record", "DUPLICATE_DATA", api_name="Course_Key", id=first)
    other = entry.get_details()["duplicate_record"]
    equal((other.get_id(), other.get_module().get_api_name()), (int(first), "Lessons"))


@step("several errors of one record")
def _():
    written(insert({"Name": "Music", "Course_Key": "MUSIC", "Second_Key": "ART"}), 201)
    entry = written(insert({"Name": "Art too", "Course_Key": "ART", "Second_Key": "ART"}), 400)[0]
    refused(entry, "record", "MULTIPLE_OR_MULTI_ERRORS")


@step("one record succeeds, one does not")
def _():
    good, bad = written(insert({"Name": "Sport"}, {"Name": "Sport", "Mail": "nobody"}), 207)
    succeeded(good, "record", "record added")
    refused(bad, "record", "INVALID_DATA", json_path="$.data[1].Mail")


@step("no such record")
def _():
    refused(written(courses.update_record(1, records({"Name": "None"})), 400)[0], "record", "INVALID_DATA")
    refused(written(courses.delete_record(1), 400)[0], "record", "INVALID_DATA", id=1)


@step("a record is locked")
def _():
    entry = written(with_fault("record_locked", lambda: insert({"Name": "Locked"})), 400)[0]
    refused(entry, "record", "RECORD_LOCKED")


@step("no such module")
def _():
    unknown = RecordOperations("Nothing")
    for response in (unknown.get_deleted_records(), unknown.delete_record(1)):
        refused(parsed(response, 400, "record", "APIException"), "record", "INVALID_MODULE")


# As Zoho's own description has it, and read by its SDKs as a record: errors of reading are lists.
@step("a parameter is missing when reading")
def _():
    error = entries(courses.get_records(), 400, "record", "get_data", "ResponseWrapper")[0]
    equal((error.get_key_value("code"), error.get_key_value("status")), ("REQUIRED_PARAM_MISSING", "error"))


@step("a search is refused")
def _():
    for pairs, code in [
        ((), "EXPECTED_PARAM_MISSING"),
        (((Search.criteria, "(Nothing:equals:1)"),), "INVALID_QUERY"),
    ]:
        response = courses.search_records(parameters(*pairs))
        refused(parsed(response, 400, "record", "APIException"), "record", code)


@step("a scope is missing")
def _():
    scopes = control("GET", "settings")["scopes"]
    control("POST", "settings", {"scopes": [scope for scope in scopes if scope != "ZohoCRM.modules.ALL"]})
    answer = parsed(insert({"Name": "None"}), 401, "record", "APIException")
    refused(answer, "record", "OAUTH_SCOPE_MISMATCH")
    control("POST", "settings", {"scopes": scopes})


def meets(fault, status, code):
    @step(f"a call is refused with {code}")
    def _():
        answer = with_fault(fault, lambda: insert({"Name": "None"}))
        refused(parsed(answer, status, "record", "APIException"), "record", code)


meets("no_permission", 403, "NO_PERMISSION")
meets("too_many_requests", 429, "TOO_MANY_REQUESTS")
meets("limit_exceeded", 429, "LIMIT_EXCEEDED")
meets("internal_error", 500, "INTERNAL_ERROR")


@step("too many access tokens")
def _():
    def many():
        for _ in range(11):
            sign_in(**CLIENT, refresh_token="simulator", find_user=False)

    rejected(many, "INVALID TOKEN ERROR", "Access Denied")
