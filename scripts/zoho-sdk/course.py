"""The module of the simulator that the SDK makes: a field of each type, and two records. The
counterpart of course.mjs."""

import datetime

from sdk import Choice, new, record

KINDS = {
    "Course_Key": "text",
    "Second_Key": "text",
    "Seats": "integer",
    "Total": "bigint",
    "Rate": "double",
    "Open": "boolean",
    "Start": "date",
    "Begins": "datetime",
    "State": "picklist",
    "Tags": "multiselectpicklist",
    "Teacher": "lookup",
    "Mail": "email",
    "Phone": "phone",
    "Notes": "textarea",
    "Price": "currency",
    "Site": "website",
}


def choices(*values):
    return [new("fields", "PickListValue", display_value=value, actual_value=value) for value in values]


def more(name):
    """What a field has besides its label and type."""
    match name:
        case "Course_Key" | "Second_Key":
            return {"length": 100, "unique": new("fields", "Unique", casesensitive="false")}
        case "State":
            return {"pick_list_values": choices("Planned", "Running")}
        case "Tags":
            return {"pick_list_values": choices("Red", "Green", "Blue")}
        case "Teacher":
            module = new("modules", "MinifiedModule", api_name="Contacts")
            return {"lookup": new("fields", "Lookup", module=module, display_label="Courses")}
        case "Notes":
            return {"textarea": new("fields", "Textarea", type="large")}
    return {}


def columns():
    """The new fields, five a call."""
    every = [
        new("fields", "Fields", field_label=name.replace("_", " "), data_type=kind, **more(name))
        for name, kind in KINDS.items()
    ]
    return [every[start : start + 5] for start in range(0, len(every), 5)]


def utc(*parts):
    return datetime.datetime(*parts, tzinfo=datetime.timezone.utc)


def lines(teacher):
    return [
        {
            "Name": "Physics",
            "Course_Key": "KEY-1",
            "Second_Key": "PHYSICS",
            "Seats": 30,
            "Total": 123456789012345678,
            "Rate": 0.75,
            "Open": True,
            "Start": datetime.date(2026, 9, 1),
            "Begins": utc(2026, 9, 1, 8, 30),
            "State": Choice("Planned"),
            "Tags": [Choice("Red"), Choice("Blue")],
            "Teacher": record({"id": teacher}),
            "Mail": "physics@college.example",
            "Phone": "+41 31 000 00 00",
            "Notes": "Two lines:\nthis is the second.",
            "Price": 99.5,
            "Site": "https://college.example/physics",
        },
        {"Name": "Chemistry", "Course_Key": "KEY-2", "Begins": utc(2026, 10, 1, 9, 0)},
    ]
