//! Each rule of the table, met once.

use poem::http::Method;
use serde_json::{Value, json};

use super::{Client, bulk, deleted, people, refusals};
use crate::rules::Rule;

/// Makes a call that meets this rule. The compiler asks for a case for each new one.
async fn meet(rule: Rule, client: &mut Client) {
    match rule {
        Rule::TokenIsKnown
        | Rule::ScopesCoverCall
        | Rule::CreditsLast
        | Rule::CallsAtOnce
        | Rule::UrlIsKnown
        | Rule::MethodFits
        | Rule::ModuleExists
        | Rule::ParameterIsThere
        | Rule::ParameterFits
        | Rule::BodyFits
        | Rule::IdsPerCall
        | Rule::FieldsPerCall
        | Rule::PagesByToken => meet_any_call(rule, client).await,
        Rule::RecordsPerCall
        | Rule::RecordExists
        | Rule::IdIsGiven
        | Rule::MandatoryFields
        | Rule::ValuesFit
        | Rule::LookupExists
        | Rule::UniqueFields
        | Rule::SeveralDuplicates
        | Rule::ChecksAreUnique
        | Rule::UpsertLooksAtAllUnique
        | Rule::CadencesRun
        | Rule::NotModifiedSince
        | Rule::NotLocked => meet_a_write(rule, client).await,
        Rule::SearchIsGiven | Rule::CriteriaAreValid | Rule::CriteriaValuesFit | Rule::CriteriaAreFew => {
            meet_a_search(rule, client).await
        }
        Rule::CoqlSyntax
        | Rule::CoqlPairs
        | Rule::CoqlColumns
        | Rule::CoqlCriteria
        | Rule::CoqlValues
        | Rule::CoqlRows
        | Rule::CoqlModuleExists
        | Rule::CoqlFieldExists
        | Rule::CoqlNoTextarea => meet_a_query(rule, client).await,
        Rule::NotInApproval
        | Rule::NotInBlueprint
        | Rule::NotConverted
        | Rule::ValidationRules
        | Rule::RoomForRecords
        | Rule::DuplicatePreferences => refusals::meet(rule, client).await,
        Rule::RecordsPerPage
        | Rule::PermanentIsNameless
        | Rule::BinIsForSixtyDays
        | Rule::BinHasRecord
        | Rule::BinIdsPerCall
        | Rule::TimelineHasRecord => deleted::meet(rule, client).await,
        Rule::BulkBody
        | Rule::BulkPages
        | Rule::BulkModule
        | Rule::BulkFields
        | Rule::BulkCriteria
        | Rule::BulkCriteriaFields
        | Rule::BulkComparators
        | Rule::BulkCosts
        | Rule::BulkRows
        | Rule::BulkJobExists
        | Rule::BulkJobCompleted
        | Rule::BulkDownloads => bulk::meet(rule, client).await,
        Rule::NewFieldsPerCall | Rule::SettingsAreComplete | Rule::SettingsFit | Rule::NamesAreFree => {
            meet_settings(rule, client).await;
        }
        Rule::EditionHasFields
        | Rule::FewUniqueFields
        | Rule::LookupsHaveLabels
        | Rule::NewPicklistsAreSmall
        | Rule::NewFieldsTogether => meet_new_fields(rule, client).await,
        Rule::EditionHasModules
        | Rule::NewModulesCostCredits
        | Rule::ModuleLabelsArePlain
        | Rule::SettingExists
        | Rule::UnusedFieldsAreLeftOut
        | Rule::ProfilesComeInPages
        | Rule::ProfilePermits
        | Rule::RestrictedFields => meet_an_organisation(rule, client).await,
    }
}

async fn meet_any_call(rule: Rule, client: &mut Client) {
    match rule {
        Rule::TokenIsKnown => client.token = "1000.unknown".to_owned(),
        Rule::ScopesCoverCall => client.set(json!({ "scopes": ["ZohoCRM.org.READ"] })).await,
        Rule::CreditsLast => client.set(json!({ "allowance": 1, "used": 1 })).await,
        Rule::CallsAtOnce => client.set(json!({ "concurrency": 0 })).await,
        _ => {}
    }
    let uri = match rule {
        Rule::UrlIsKnown => "/crm/v8/settings/nothing",
        Rule::ModuleExists => "/crm/v8/Nothing?fields=id",
        Rule::ParameterFits => "/crm/v8/Contacts?fields=id&page=x",
        Rule::IdsPerCall => &format!("/crm/v8/Contacts?fields=id&ids=1{}", ",1".repeat(600)),
        Rule::FieldsPerCall => &format!("/crm/v8/Contacts?fields=id{}", ",id".repeat(50)),
        Rule::PagesByToken => "/crm/v8/Contacts?fields=id&page=21",
        _ => "/crm/v8/Contacts",
    };
    match rule {
        Rule::MethodFits => client.call(Method::PATCH, uri, Value::Null).await,
        Rule::BodyFits => client.post(uri, json!([])).await,
        _ => client.get(uri).await,
    };
}

async fn meet_a_write(rule: Rule, client: &Client) {
    let unique =
        |label: &str| json!([{ "field_label": label, "data_type": "text", "unique": { "case_sensitive": true } }]);
    let person = json!({ "Last_Name": "Ada", "Moodle_User_Key": "s:0", "Badge": "7" });
    client.make_fields("Contacts", unique("Badge")).await;
    let inserted = client.insert(json!([person])).await.id(0);
    match rule {
        Rule::RecordsPerCall => client.insert(people(101)).await,
        Rule::RecordExists => client.update("1", json!({ "Last_Name": "Eve" })).await,
        Rule::IdIsGiven => client.call(Method::PUT, "/crm/v8/Contacts", json!({ "data": [{ "Title": "Dr" }] })).await,
        Rule::MandatoryFields => client.insert(json!([{ "Title": "Dr" }])).await,
        Rule::ValuesFit => client.update(&inserted, json!({ "Last_Name": 5 })).await,
        Rule::LookupExists => client.update(&inserted, json!({ "Account_Name": { "id": "1" } })).await,
        Rule::UniqueFields => client.insert(json!([{ "Last_Name": "Eve", "Badge": "7" }])).await,
        Rule::SeveralDuplicates => client.insert(json!([person])).await,
        Rule::ChecksAreUnique => {
            let body = json!({ "data": [person], "duplicate_check_fields": ["Title"] });
            client.post("/crm/v8/Contacts/upsert", body).await
        }
        Rule::UpsertLooksAtAllUnique => {
            client.upsert(json!([{ "Last_Name": "Eve", "Moodle_User_Key": "s:1", "Badge": "7" }])).await
        }
        Rule::CadencesRun => client.insert(people(1)).await,
        Rule::NotModifiedSince => {
            client.update_unless_modified(&inserted, "2000-01-01T00:00:00+00:00", json!({ "Title": "Dr" })).await
        }
        _ => {
            client.fault(json!({ "fault": "record_locked" })).await;
            client.insert(people(1)).await
        }
    };
}

async fn meet_a_search(rule: Rule, client: &Client) {
    let many = ["(Title:equals:Dr)"; 11].join("or");
    let criteria = match rule {
        Rule::CriteriaAreFew => many.as_str(),
        Rule::CriteriaValuesFit => "(Date_of_Birth:equals:yesterday)",
        _ => "(Nothing:equals:1)",
    };
    client.allow_search().await;
    if rule == Rule::SearchIsGiven {
        client.get("/crm/v8/Contacts/search").await;
        return;
    }
    client.get(&format!("/crm/v8/Contacts/search?criteria=({criteria})")).await;
}

async fn meet_a_query(rule: Rule, client: &Client) {
    let nested = (0..25).fold("id = 1".to_owned(), |inner, _| format!("(id = 1 or {inner})"));
    let columns = vec!["id"; 51].join(",");
    client
        .query(&match rule {
            Rule::CoqlPairs => "select id from Contacts where id = 1 or id = 2 or id = 3".to_owned(),
            Rule::CoqlColumns => format!("select {columns} from Contacts where id = 1"),
            Rule::CoqlCriteria => format!("select id from Contacts where {nested}"),
            Rule::CoqlValues => format!("select id from Contacts where id in ({columns})"),
            Rule::CoqlRows => "select id from Contacts where id = 1 limit 201".to_owned(),
            Rule::CoqlModuleExists => "select id from Nothing where id = 1".to_owned(),
            Rule::CoqlFieldExists => "select Nothing from Contacts where id = 1".to_owned(),
            Rule::CoqlNoTextarea => "select id from Contacts where Description = 'a'".to_owned(),
            _ => "select id from Contacts".to_owned(),
        })
        .await;
}

async fn meet_settings(rule: Rule, client: &Client) {
    let field = |label: &str| json!({ "field_label": label, "data_type": "text" });
    let fields = match rule {
        Rule::NewFieldsPerCall => vec![field("A"), field("B"), field("C"), field("D"), field("E"), field("F")],
        Rule::SettingsAreComplete => vec![json!({ "field_label": "A" })],
        Rule::SettingsFit => vec![json!({ "field_label": "A", "data_type": "text", "length": 256 })],
        _ => vec![field("Moodle User Key")],
    };
    client.make_fields("Contacts", fields.into()).await;
}

async fn meet_new_fields(rule: Rule, client: &Client) {
    let field = |label: &str| json!({ "field_label": label, "data_type": "text" });
    let unique = |label: &str| json!({ "field_label": label, "data_type": "text", "unique": true });
    let many: Vec<Value> = (0..11).map(|n| json!({ "display_value": "A", "actual_value": format!("A{n}") })).collect();
    if rule == Rule::EditionHasFields {
        client.set(json!({ "edition": "free" })).await;
    }
    let fields = match rule {
        Rule::EditionHasFields => json!([field("A")]),
        Rule::FewUniqueFields => json!([unique("A"), unique("B")]),
        Rule::LookupsHaveLabels => {
            json!([{ "field_label": "A", "data_type": "lookup", "lookup": { "module": { "api_name": "Leads" } } }])
        }
        Rule::NewPicklistsAreSmall => {
            json!([{ "field_label": "A", "data_type": "picklist", "pick_list_values": many }])
        }
        _ => json!([field("A"), field("A")]),
    };
    client.make_fields("Contacts", fields).await;
}

async fn meet_an_organisation(rule: Rule, client: &Client) {
    let module = |label: &str| {
        let profiles = json!([{ "id": "5200000000000000098" }]);
        json!({ "singular_label": label, "plural_label": format!("{label}s"), "api_name": "As", "profiles": profiles })
    };
    match rule {
        Rule::EditionHasModules => {
            client.set(json!({ "edition": "professional" })).await;
            client.make_module(module("A")).await
        }
        Rule::NewModulesCostCredits => client.make_module(module("A")).await,
        Rule::ModuleLabelsArePlain => client.make_module(module("Moodle A")).await,
        Rule::SettingExists => client.get("/crm/v8/settings/modules/Nope").await,
        Rule::UnusedFieldsAreLeftOut => {
            client.post("/__sim/fields/Contacts/Title", json!({ "unused": true })).await;
            client.get("/crm/v8/settings/fields?module=Contacts").await
        }
        Rule::ProfilesComeInPages => {
            client.set(json!({ "profiles_per_page": 1 })).await;
            client.get("/crm/v8/settings/modules").await
        }
        Rule::ProfilePermits => {
            let profile = json!({ "name": "Clerk", "without": ["Contacts"], "mine": true });
            client.post("/__sim/profiles", profile).await;
            client.insert(people(1)).await
        }
        _ => {
            client.post("/__sim/fields/Contacts/Title", json!({ "restricted": true })).await;
            client.allow_search().await;
            client.get("/crm/v8/Contacts/search?criteria=(Title:equals:Dr)").await
        }
    };
}

#[tokio::test]
async fn every_rule_is_enforced() {
    for rule in Rule::ALL {
        let mut client = Client::new().await;
        meet(*rule, &mut client).await;
        let calls = client.log().await;
        let last = calls.last().expect("a call");
        let rules = last["rules"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert!(rules.contains(&json!(rule)), "{rule:?} is not met by {last}");
        if let Some((status, code, _)) = rule.row().refusal {
            assert!(last["status"] == status || last["records"].as_u64() > Some(1), "{rule:?}: {code} is {last}");
        }
    }
}

#[tokio::test]
async fn the_table_counts_what_was_met() {
    let client = Client::new().await;
    client.get("/crm/v8/Nothing?fields=id").await;
    let seen = client.get("/__sim/rules").await;
    let rules = seen.body["rules"].as_array().expect("rules");
    assert_eq!(rules.len(), Rule::ALL.len());
    let met: Vec<_> = rules.iter().filter(|rule| rule["met"] == 1).map(|rule| &rule["rule"]).collect();
    assert_eq!(met, [&json!("module_exists")]);
}
