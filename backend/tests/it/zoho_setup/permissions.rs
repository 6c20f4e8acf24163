//! `zoho check` tries every kind of call that the delivery makes, and names the scope or permission that is missing.

use backend_sync::zoho::client::SCOPES;
use serde_json::{Value, json};

use super::Walk;

async fn ready() -> Walk {
    let walk = Walk::begin(json!({})).await;
    assert!(walk.run(&["setup", "--yes"]).0);
    walk
}

#[tokio::test]
async fn the_missing_scope_is_named() {
    let needed = [
        ("ZohoCRM.modules.ALL", "ZohoCRM.modules.Contacts.CREATE"),
        ("ZohoCRM.coql.READ", "ZohoCRM.coql.READ"),
        ("ZohoCRM.org.READ", "ZohoCRM.org.READ"),
        ("ZohoCRM.settings.fields.READ", "ZohoCRM.settings.fields.READ"),
        ("ZohoCRM.settings.modules.READ", "ZohoCRM.settings.modules.READ"),
    ];
    let walk = ready().await;
    for (without, named) in needed {
        let scopes: Vec<&str> = SCOPES.split(',').filter(|scope| *scope != without).collect();
        walk.zoho.change(json!({ "scopes": scopes })).await;
        let (content, said) = walk.run(&["check"]);
        assert!(!content && said.contains(&format!("lack the scope {named}")), "{without}: {said}");
    }
}

#[tokio::test]
async fn scopes_that_only_looking_needs_are_not_missed() {
    let walk = ready().await;
    let looking = ["ZohoCRM.settings.layouts.READ", "ZohoCRM.settings.profiles.READ", "ZohoCRM.users.READ"];
    let scopes: Vec<&str> = SCOPES.split(',').filter(|scope| !looking.contains(scope)).collect();
    walk.zoho.change(json!({ "scopes": scopes })).await;
    let (content, said) = walk.run(&["check"]);
    assert!(content && said.matches("note    unknown").count() == 2, "{said}");
    assert!(!said.contains("seems to be a person"), "{said}");
}

#[tokio::test]
async fn the_missing_permission_and_its_module_are_named() {
    for (verb, named) in [("Create", "create"), ("Edit", "change"), ("Delete", "delete")] {
        let walk = ready().await;
        let profile = json!({ "name": "Clerk", "cannot": [verb], "customizes": true, "mine": true });
        walk.zoho.administer("profiles", profile).await;
        walk.zoho.empty_log().await;
        let (content, said) = walk.run(&["check"]);
        let permission = format!("Crm_Implied_{verb}_Products for Products");
        assert!(!content && said.contains(&permission), "{said}");
        assert!(said.contains(&format!("cannot {named} records")), "{said}");
        let wrote = |call: &&Value| {
            let reads = call["method"] == "GET" || call["operation"] == "coql" || call["operation"] == "token";
            !reads && call["status"].as_u64() < Some(300)
        };
        assert_eq!(walk.zoho.log().await.iter().filter(wrote).count(), 0, "the check writes nothing");
    }
}

#[tokio::test]
async fn a_connection_of_a_person_is_noted() {
    let (content, said) = ready().await.run(&["check"]);
    assert!(content && said.contains("the connection's user seems to be a person"), "{said}");
    assert!(!said.contains("admin@simulator.example") && !said.contains("Simulated Administrator"), "{said}");
}
