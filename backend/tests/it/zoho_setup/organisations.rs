//! Organisations of all kinds: each ends with everything created, or with a clear no before the first write.

use serde_json::{Value, json};

use super::{Walk, texts};

enum End {
    Created,
    /// Nothing was written, and all these words were printed.
    No(&'static [&'static str]),
}

use End::{Created, No};

/// What is done to an organisation before the walk.
enum Before {
    Nothing,
    Fields(&'static str, Value),
    Change(&'static str, Value),
    Module(Value),
    Profiles(u32),
}

use Before::{Change, Fields, Module, Nothing, Profiles};

/// How the default mapping is changed.
#[derive(Clone, Copy)]
enum Mapping {
    Default,
    /// Without custom modules.
    Small,
    /// Without custom modules and tracking.
    Smaller,
    Replaced(&'static str, &'static str),
}

struct Case {
    name: &'static str,
    settings: Value,
    before: Vec<Before>,
    mapping: Mapping,
    end: End,
}

fn case(name: &'static str, settings: Value, before: Vec<Before>, mapping: Mapping, end: End) -> Case {
    Case { name, settings, before, mapping, end }
}

fn by_edition() -> Vec<Case> {
    let of = |edition: &str| json!({ "edition": edition });
    let three = || vec![Fields("Contacts", texts(&["A", "B", "C"], false))];
    vec![
        case("enterprise", of("enterprise"), vec![Nothing], Mapping::Default, Created),
        case("ultimate", of("ultimate"), vec![], Mapping::Default, Created),
        case(
            "professional",
            of("professional"),
            vec![],
            Mapping::Default,
            No(&["professional edition lets no program create modules", "Leave [enrolment] and [grade] out"]),
        ),
        case("professional, smaller mapping", of("professional"), vec![], Mapping::Small, Created),
        case(
            "standard",
            of("standard"),
            vec![],
            Mapping::Default,
            No(&["Moodle_Enrolments, Moodle_Grades", "by hand"]),
        ),
        case("standard, smaller mapping", of("standard"), vec![], Mapping::Small, Created),
        case(
            "standard, old",
            of("standard"),
            three(),
            Mapping::Small,
            No(&[
                "allows 10 custom fields in a module, 7 are free, and the mapping needs 8",
                "[tracking], with enabled = false (then it needs 4). Or one field after the other: Moodle_Status of [user.fields] and of \
                 [user.deleted] (then it needs 7)",
            ]),
        ),
        case("standard, old, what was offered", of("standard"), three(), Mapping::Smaller, Created),
        case(
            "free",
            of("free"),
            vec![],
            Mapping::Small,
            No(&["free edition allows 0 custom fields", "larger edition"]),
        ),
    ]
}

fn by_administrators() -> Vec<Case> {
    let ours = |field: Value| vec![Fields("Contacts", json!([field]))];
    vec![
        case(
            "two unique fields",
            json!({}),
            vec![Fields("Contacts", texts(&["Badge", "Student"], true))],
            Mapping::Default,
            No(&["Zoho allows 2 unique fields in a module; Badge and Student are", "untick"]),
        ),
        case("country lists", json!({ "country_lists": true }), vec![], Mapping::Default, Created),
        case(
            "a mandatory custom field",
            json!({}),
            vec![
                Fields("Contacts", texts(&["Badge"], false)),
                Change("fields/Contacts/Badge", json!({ "mandatory": true })),
            ],
            Mapping::Default,
            No(&["Contacts.Badge: Zoho requires a value", "[user.fields]"]),
        ),
        case(
            "a key that is not unique",
            json!({}),
            ours(json!({ "field_label": "Moodle User Key", "data_type": "text" })),
            Mapping::Default,
            No(&["Contacts.Moodle_User_Key: The key is not unique"]),
        ),
        case(
            "a field of another type",
            json!({}),
            ours(json!({ "field_label": "Moodle Username", "data_type": "boolean" })),
            Mapping::Default,
            No(&["Contacts.Moodle_Username: The source does not suit a field of type boolean"]),
        ),
        case(
            "an unused field",
            json!({}),
            vec![
                Fields("Contacts", texts(&["Moodle Username"], false)),
                Change("fields/Contacts/Moodle_Username", json!({ "unused": true })),
            ],
            Mapping::Default,
            No(&["on no layout"]),
        ),
        case(
            "a field for people only",
            json!({}),
            vec![Change("fields/Contacts/Mailing_City", json!({ "not_by_api": true }))],
            Mapping::Default,
            No(&["Contacts.Mailing_City", "by API"]),
        ),
        case(
            "a hidden field",
            json!({}),
            vec![Change("fields/Contacts/Mailing_City", json!({ "hidden": true, "read_only": false }))],
            Mapping::Default,
            No(&["Contacts.Mailing_City", "does not see the field"]),
        ),
        case(
            "a module with the label",
            json!({}),
            vec![Module(json!({ "api_name": "Old", "singular_label": "MoodleGrade", "plural_label": "Olds" }))],
            Mapping::Default,
            No(&["Moodle_Grades: The module Old", "other labels"]),
        ),
        case(
            "little credit",
            json!({ "allowance": 1_000, "used": 600 }),
            vec![],
            Mapping::Default,
            No(&["costs 1000 API credits"]),
        ),
        case(
            "a profile that may not customise",
            json!({}),
            vec![Change("profiles", json!({ "name": "Clerk", "mine": true }))],
            Mapping::Default,
            No(&["Crm_Implied_Customize_Zoho_CRM"]),
        ),
    ]
}

fn by_zoho() -> Vec<Case> {
    let blanks = Mapping::Replaced("singular = \"MoodleGrade\"", "singular = \"Moodle Grade\"");
    let half = || {
        vec![
            Module(json!({ "api_name": "Moodle_Grades", "singular_label": "G", "plural_label": "Gs" })),
            Fields("Moodle_Grades", texts(&["Moodle Grade Key"], true)),
            Fields("Contacts", texts(&["Moodle Username"], false)),
        ]
    };
    vec![
        case("half of it is there", json!({}), half(), Mapping::Default, Created),
        case("labels with blanks", json!({ "label_blanks": false }), vec![], blanks, Created),
        case("labels with blanks, allowed", json!({ "label_blanks": true }), vec![], blanks, Created),
        case(
            "names without underscores",
            json!({ "api_name_underscores": false }),
            vec![],
            Mapping::Default,
            No(&["INVALID_DATA at $.modules[0].api_name", "module = \"MoodleEnrolments\""]),
        ),
        case("flat errors", json!({ "field_errors": "flat" }), vec![], Mapping::Default, Created),
        case("an entry for each field", json!({ "field_errors": "each" }), vec![], Mapping::Default, Created),
        case("profiles on a second page", json!({}), vec![Profiles(12)], Mapping::Default, Created),
        case("more unique fields than documented", json!({ "unique_fields": 5 }), vec![], Mapping::Default, Created),
    ]
}

async fn prepare(case: &Case) -> Walk {
    let mut walk = Walk::begin(case.settings.clone()).await;
    for before in &case.before {
        match before {
            Nothing => {}
            Fields(module, fields) => walk.zoho.make_fields(module, fields.clone()).await,
            Change(place, change) => walk.zoho.administer(place, change.clone()).await,
            Module(module) => walk.zoho.make_module(module.clone()).await,
            Profiles(count) => {
                for number in 1..=*count {
                    let last = number == *count;
                    let profile = json!({ "name": format!("P{number}"), "customizes": last, "mine": last });
                    walk.zoho.administer("profiles", profile).await;
                }
            }
        }
    }
    match case.mapping {
        Mapping::Default => {}
        Mapping::Small => walk.map_people_and_courses(),
        Mapping::Smaller => {
            walk.map_people_and_courses();
            walk.map("enabled = true", "enabled = false");
        }
        Mapping::Replaced(from, to) => walk.map(from, to),
    }
    walk.zoho.empty_log().await;
    walk
}

#[tokio::test]
async fn every_organisation_ends_created_or_with_a_clear_no_before_the_first_write() {
    for case in by_edition().into_iter().chain(by_administrators()).chain(by_zoho()) {
        let (walk, name) = (prepare(&case).await, case.name);
        let (success, words) = walk.run(&["setup", "--yes"]);
        match case.end {
            Created => {
                assert!(success && words.contains("Done."), "{name}: {words}");
                let (success, words) = walk.run(&["check"]);
                assert!(success, "{name}: {words}");
                let (success, words) = walk.run(&["setup", "--yes"]);
                assert!(success && words.contains("has all modules and fields"), "{name}, again: {words}");
            }
            No(reasons) => {
                assert!(!success, "{name}: {words}");
                assert_eq!(walk.created().await, 0, "{name}: {words}");
                for reason in reasons {
                    assert!(words.contains(reason), "{name}: {reason}: {words}");
                }
            }
        }
    }
}

#[tokio::test]
async fn an_interrupted_setup_goes_on() {
    for nth in [1, 3, 7] {
        let walk = Walk::begin(json!({})).await;
        let calls = json!({ "operation": "settings", "method": "POST", "nth": nth });
        // Zoho has done it, and its answer is lost.
        walk.zoho.add_faults(json!([{ "match": calls, "fault": "truncated_json" }])).await;
        let (success, words) = walk.run(&["setup", "--yes"]);
        assert!(!success && words.contains("Run the command again"), "{nth}: {words}");
        let (success, words) = walk.run(&["setup", "--yes"]);
        assert!(success && words.contains("Done."), "{nth}: {words}");
        assert!(walk.run(&["check"]).0);
    }
}

#[tokio::test]
async fn room_and_what_is_unknown_are_shown_first() {
    let walk = Walk::begin(json!({ "scopes": OLD_SCOPES })).await;
    walk.zoho.make_by_hand("Contacts", json!({ "Last_Name": "Ada" })).await;
    let (success, words) = walk.run(&["setup", "--yes"]);
    assert!(success, "older credentials suffice: {words}");
    assert!(words.contains("Contacts: 1 record in Zoho.\n"), "what comes is unknown without a database: {words}");
    assert!(words.contains("Unknown: which fields the layouts of Contacts demand") && words.contains("layouts.READ"));
}

/// What was asked for before there was anything to look at.
const OLD_SCOPES: [&str; 8] = [
    "ZohoCRM.modules.ALL",
    "ZohoCRM.settings.fields.READ",
    "ZohoCRM.settings.fields.CREATE",
    "ZohoCRM.settings.modules.READ",
    "ZohoCRM.settings.modules.CREATE",
    "ZohoCRM.org.READ",
    "ZohoCRM.coql.READ",
    "ZohoCRM.bulk.ALL",
];
