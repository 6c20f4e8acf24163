"""Drives the simulator through Zoho's SDK for Python, as scripts/zoho-sdk-test calls it:
    ZOHO_URL=SIMULATOR python3 drive.py FOLDER
Each step compares what the SDK made of the answer, in its own classes, with what was to happen.
The counterpart of drive.mjs, step by step."""

import datetime
import importlib
import time

from course import KINDS, columns, lines
from sdk import API, CLIENT, URL, Choice, HeaderMap, ParameterMap, control, entries, equal, finish, grant_more
from sdk import load, new, parameters, parsed, records, refused, rejected, sign_in, step, succeeded

RecordOperations, DeletedHeader, DeleteMany, Get, Search = load(
    API + ".record.record_operations",
    "RecordOperations",
    "GetDeletedRecordsHeader",
    "DeleteRecordsParam",
    "GetRecordsParam",
    "SearchRecordsParam",
)
ModulesOperations, = load(API + ".modules", "ModulesOperations")
FieldsOperations, GetFields, CreateField = load(
    API + ".fields.fields_operations", "FieldsOperations", "GetFieldsParam", "CreateFieldParam"
)

contacts, courses = RecordOperations("Contacts"), RecordOperations("Lessons")
modules, fields = ModulesOperations(), FieldsOperations()
ids = {}


# What the SDK and these steps need beside what Backend Sync asks for: the search and the user.
grant_more("ZohoSearch.securesearch.READ", "ZohoCRM.users.READ")

# --- Access ---------------------------------------------------------------------


@step("the refresh token is refused")
def _():
    rejected(
        lambda: sign_in(**CLIENT, refresh_token="wrong", find_user=False), "INVALID TOKEN ERROR", "invalid_code"
    )


@step("an access token is refused")
def _():
    sign_in(access_token="wrong", find_user=False)
    refused(parsed(modules.get_modules(), 401, "modules", "APIException"), "modules", "INVALID_TOKEN")


@step("a grant code becomes a refresh token")
def _():
    token = sign_in(**CLIENT, grant_token="simulator", find_user=False)
    equal(token.get_refresh_token(), "simulator")
    assert token.get_access_token().startswith("1000.")


@step("a refresh token becomes an access token")
def _():
    token = sign_in(**CLIENT, refresh_token="simulator")
    assert token.get_access_token().startswith("1000.")
    equal(token.get_api_domain(), URL)
    life = int(token.get_expires_in()) - time.time() * 1000
    assert 3_000_000 < life <= 3_600_000, f"it lives {life} ms"
    # The SDK has read the user and the organisation.
    signature = token.get_user_signature()
    equal(signature and signature.get_name(), "admin@simulator.example:5200000000000000099")


@step("the organisation")
def _():
    OrgOperations, = load(API + ".org", "OrgOperations")
    org = entries(OrgOperations().get_organization(), 200, "org", "get_org", "ResponseWrapper")[0]
    equal(org.get_company_name(), "Simulated organisation")
    equal(org.get_type().get_value(), "production")
    equal(org.get_license_details().get_paid_type(), "enterprise")


# --- Modules and fields -------------------------------------------------------------


def fields_of(module):
    response = fields.get_fields(parameters((GetFields.module, module)))
    every = entries(response, 200, "fields", "get_fields", "ResponseWrapper")
    return {field.get_api_name(): field for field in every}


def new_fields(*every):
    body = new("fields", "BodyWrapper", fields=list(every))
    return fields.create_field(body, parameters((CreateField.module, "Lessons")))


def new_module(**values):
    profile = new("profiles", "MinifiedProfile", id=ids["profile"])
    made = new("modules", "Modules", profiles=[profile], **values)
    return modules.create_custom_modules(new("modules", "BodyWrapper", modules=[made]))


LABELS = {"singular_label": "Lesson", "plural_label": "Lessons", "api_name": "Lessons"}


@step("all modules")
def _():
    every = entries(modules.get_modules(), 200, "modules", "get_modules", "ResponseWrapper")
    module = next(each for each in every if each.get_api_name() == "Contacts")
    equal(module.get_api_supported(), True)
    equal(module.get_generated_type().get_value(), "default")
    equal(module.get_plural_label(), "Contacts")
    ids["profile"] = module.get_profiles()[0].get_id()
    assert isinstance(ids["profile"], int)


@step("a module is made")
def _():
    made = entries(new_module(**LABELS), 201, "modules", "get_modules")[0]
    ids["module"] = succeeded(made, "modules", "module created successfully")["id"]
    module = entries(modules.get_module(ids["module"]), 200, "modules", "get_modules", "ResponseWrapper")[0]
    equal(module.get_api_name(), "Lessons")
    equal(module.get_generated_type().get_value(), "custom")
    by_name = modules.get_module_by_api_name("Lessons")
    equal(entries(by_name, 200, "modules", "get_modules", "ResponseWrapper")[0].get_id(), ids["module"])


@step("a module is refused: its name is taken, a label is missing")
def _():
    taken = entries(new_module(**LABELS), 400, "modules", "get_modules")[0]
    refused(taken, "modules", "DUPLICATE_DATA", api_name="api_name")
    lacking = new_module(plural_label="Others", api_name="Others")
    missing = entries(lacking, 400, "modules", "get_modules")[0]
    refused(missing, "modules", "MANDATORY_NOT_FOUND", api_name="singular_label")


@step("fields are made, five a call")
def _():
    for five in columns():
        made = entries(new_fields(*five), 201, "fields", "get_fields")
        equal(len(made), len(five))
        for entry in made:
            assert succeeded(entry, "fields", "field created")["id"] > 0


@step("fields are refused: taken, of no type, of a wrong type, too many")
def _():
    for values, code, name in [
        ({"field_label": "Seats", "data_type": "integer"}, "DUPLICATE_DATA", "field_label"),
        ({"field_label": "Odd"}, "MANDATORY_NOT_FOUND", "data_type"),
        ({"field_label": "Odd", "data_type": "odd"}, "INVALID_DATA", "data_type"),
    ]:
        entry = entries(new_fields(new("fields", "Fields", **values)), 400, "fields", "get_fields")[0]
        refused(entry, "fields", code, api_name=name)
    six = [new("fields", "Fields", field_label=label, data_type="text") for label in "ABCDEF"]
    refused(parsed(new_fields(*six), 400, "fields", "APIException"), "fields", "LIMIT_EXCEEDED", limit=5)


@step("the fields of a module")
def _():
    found = fields_of("Lessons")
    for name, kind in KINDS.items():
        equal(found[name].get_data_type(), kind, name)
        equal(found[name].get_custom_field(), True, name)
    equal(found["Name"].get_system_mandatory(), True)
    equal(found["Course_Key"].get_length(), 100)
    equal(type(found["Course_Key"].get_unique()).__name__, "Unique")
    equal([value.get_display_value() for value in found["State"].get_pick_list_values()], ["Planned", "Running"])
    equal(found["Teacher"].get_lookup().get_module().get_api_name(), "Contacts")
    equal(fields_of("Contacts")["Last_Name"].get_length(), 80)


@step("fields are refused: no module, an unknown one")
def _():
    none = parsed(fields.get_fields(ParameterMap()), 400, "fields", "APIException")
    refused(none, "fields", "REQUIRED_PARAM_MISSING", param_name="module")
    unknown = fields.get_fields(parameters((GetFields.module, "Nothing")))
    refused(parsed(unknown, 400, "fields", "APIException"), "fields", "INVALID_MODULE")


# --- Writing -------------------------------------------------------------------------


def written(response, status):
    return entries(response, status, "record", "get_data")


def read(response):
    return entries(response, 200, "record", "get_data", "ResponseWrapper")


def one(id):
    return read(courses.get_record(id))[0]


@step("records are inserted")
def _():
    person = records({"Last_Name": "Ohm", "First_Name": "Ada", "Email": "ada@college.example"})
    details = succeeded(written(contacts.create_records(person), 201)[0], "record", "record added")
    ids["teacher"] = int(details["id"])
    assert abs(details["Created_Time"].timestamp() - time.time()) < 3_600
    equal(details["Created_By"].get_name(), "Simulated Administrator")
    made = written(courses.create_records(records(*lines(ids["teacher"]))), 201)
    ids["courses"] = [int(succeeded(entry, "record", "record added")["id"]) for entry in made]
    equal(len(made), 2)


@step("a record is read, a value of each type")
def _():
    course = one(ids["courses"][0])
    equal(course.get_id(), ids["courses"][0])
    for key, value in lines(ids["teacher"])[0].items():
        got = course.get_key_value(key)
        if key == "Teacher":
            equal((got.get_id(), got.get_key_value("name")), (ids["teacher"], "Ada Ohm"))
        elif key == "State":
            equal(got.get_value(), value.get_value())
        elif key == "Tags":
            equal([tag.get_value() for tag in got], [tag.get_value() for tag in value])
        else:
            equal(got, value, key)
    equal(type(course.get_created_by()).__name__, "MinifiedUser")
    equal(course.get_key_value("Owner").get_name(), "Simulated Administrator")
    assert isinstance(course.get_modified_time(), datetime.datetime)


@step("what is empty is null")
def _():
    course = one(ids["courses"][1])
    equal([course.get_key_value(key) for key in ("Seats", "Teacher", "Open")], [None, None, False])


@step("records are listed: all, a page, by id")
def _():
    def page(*pairs):
        response = courses.get_records(parameters((Get.fields, "Name,Course_Key"), *pairs))
        return parsed(response, 200, "record", "ResponseWrapper")

    every = page()
    equal(len(every.get_data()), 2)
    equal((every.get_info().get_count(), every.get_info().get_more_records()), (2, False))
    first = page((Get.per_page, 1))
    equal(first.get_info().get_more_records(), True)
    following = page((Get.per_page, 1), (Get.page_token, first.get_info().get_next_page_token()))
    listed = [course.get_id() for course in [*first.get_data(), *following.get_data()]]
    equal(sorted(listed), sorted(ids["courses"]))
    by_id = page((Get.ids, str(ids["courses"][1])))
    equal(by_id.get_data()[0].get_key_value("Course_Key"), "KEY-2")


@step("an upsert updates, and inserts")
def _():
    body = records({"Name": "Physics II", "Course_Key": "key-1"}, {"Name": "Logic", "Course_Key": "KEY-3"})
    body.set_duplicate_check_fields(["Course_Key"])
    updated, added = written(courses.upsert_records(body), 200)
    equal(int(succeeded(updated, "record", "record updated")["id"]), ids["courses"][0])
    equal((updated.get_action().get_value(), updated.get_duplicate_field()), ("update", "Course_Key"))
    ids["courses"].append(int(succeeded(added, "record", "record added")["id"]))
    equal((added.get_action().get_value(), added.get_duplicate_field()), ("insert", None))
    course = one(ids["courses"][0])
    equal((course.get_key_value("Name"), course.get_key_value("Seats")), ("Physics II", 30))


@step("an update changes and clears")
def _():
    change = courses.update_record(ids["courses"][0], records({"Name": "Physics", "Seats": None}))
    succeeded(written(change, 200)[0], "record", "record updated")
    both = records({"id": ids["courses"][0], "State": Choice("Running")}, {"id": ids["courses"][1], "Seats": 12})
    for entry in written(courses.update_records(both), 200):
        succeeded(entry, "record", "record updated")
    first, second = one(ids["courses"][0]), one(ids["courses"][1])
    equal((first.get_key_value("Seats"), first.get_key_value("State").get_value()), (None, "Running"))
    equal(second.get_key_value("Seats"), 12)


# --- Searching, and what was deleted ----------------------------------------------------

# The search lags.
control("POST", "clock", {"advance_seconds": 60})


def nothing(response):
    equal((response.get_status_code(), response.get_object()), (204, None))


@step("a search by criteria, by address, without a hit")
def _():
    def search(operations, *pair):
        return operations.search_records(parameters(pair))

    hit = search(courses, Search.criteria, "((Course_Key:equals:KEY-2)and(Name:starts_with:Chem))")
    equal(read(hit)[0].get_id(), ids["courses"][1])
    equal(read(search(contacts, Search.email, "ada@college.example"))[0].get_id(), ids["teacher"])
    nothing(search(contacts, Search.email, "nobody@college.example"))


@step("COQL")
def _():
    CoqlOperations, = load(API + ".coql", "CoqlOperations")
    query = "select Name, Seats, Teacher from Lessons where Course_Key = 'KEY-2' limit 10"
    body = new("coql", "BodyWrapper", select_query=query)
    wrapper = parsed(CoqlOperations().get_records(body), 200, "coql", "ResponseWrapper")
    course = wrapper.get_data()[0]
    equal(course.get_id(), ids["courses"][1])
    equal((course.get_name(), course.get_key_value("Seats")), ("Chemistry", 12))
    equal(wrapper.get_info().get_more_records(), False)
    body.set_select_query("select Name from Lessons where Nothing = 1")
    wrong = parsed(CoqlOperations().get_records(body), 400, "coql", "APIException")
    refused(wrong, "coql", "INVALID_QUERY", column_name="Nothing")


@step("records are deleted, alone and together")
def _():
    alone = written(courses.delete_record(ids["courses"][2]), 200)[0]
    equal(int(succeeded(alone, "record", "record deleted")["id"]), ids["courses"][2])
    both = ",".join(str(id) for id in ids["courses"][:2])
    equal(len(written(courses.delete_records(parameters((DeleteMany.ids, both))), 200)), 2)
    nothing(courses.get_record(ids["courses"][0]))


@step("what was deleted is listed, all and since then")
def _():
    every = parsed(courses.get_deleted_records(), 200, "record", "DeletedRecordsWrapper")
    equal(sorted(each.get_id() for each in every.get_data()), sorted(ids["courses"]))
    chemistry = next(each for each in every.get_data() if each.get_id() == ids["courses"][1])
    equal((chemistry.get_display_name(), chemistry.get_type()), ("Chemistry", "recycle"))
    equal(chemistry.get_deleted_by().get_name(), "Simulated Administrator")
    equal(every.get_info().get_count(), 3)

    def since(seconds):
        then = chemistry.get_deleted_time() + datetime.timedelta(seconds=seconds)
        headers = parameters((DeletedHeader.if_modified_since, then), kind=HeaderMap)
        return courses.get_deleted_records(None, headers)

    equal(len(parsed(since(-60), 200, "record", "DeletedRecordsWrapper").get_data()), 3)
    nothing(since(60))

importlib.import_module("refusals")
finish()
