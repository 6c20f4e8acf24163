//! What an alert's page and link show, acknowledging, and what is said before anybody looked.

use super::people::{act, see};
use crate::{
    alerts::news::never_looked,
    delivery::{rest, until},
    support::{
        Database, Server,
        browser::Browser,
        events::{at, enrolment},
        server::{SITE, run_json},
    },
    sync_api::{a_bad_user, begin, refuse_bad_users},
};

on_both_databases!(
    an_alerts_link_shows_its_group_alone,
    an_alert_is_acknowledged_for_some_days,
    all_is_well_only_after_a_look,
);

async fn an_alerts_link_shows_its_group_alone(database: Database) {
    let (_receivers, zoho, server) = crate::alerts::begin(&database, &[]).await;
    refuse_bad_users(&zoho).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    server.site().apply(&[a_bad_user(2), a_bad_user(3), at(1, "enrolment_updated", enrolment(2, 9, 7))]).await;
    rest(&database).await;
    let alert = || async {
        let alerts = server.reader().list("/api/v1/alerts").await;
        alerts.into_iter().find(|alert| alert["rule"] == "failed" && alert["title"].as_str().unwrap().starts_with("2 "))
    };
    let alert = until("it is raised", alert).await;
    let link = alert["link"].as_str().unwrap();
    let group = see(&browser, link).await;
    assert!(group.contains("What to do:") && group.contains("Retry all 2"), "{group}");
    assert!(!group.contains("/records/enrolment:moodle:2") && group.contains("Show everything"), "{group}");
    let all = see(&browser, "/attention").await;
    assert!(all.contains("/records/enrolment:moodle:2") && !all.contains("Show everything"), "{all}");
    for path in ["/alerts", &format!("/alerts/{}", alert["id"])] {
        let page = see(&browser, path).await;
        assert!(
            page.contains(&link.replace('&', "&#38;")) && page.contains("2 people are not in Zoho"),
            "{path}: {page}"
        );
    }
    let gone = see(&browser, "/attention?destination=zoho&state=failed&kind=user&code=lead").await;
    assert!(gone.contains("Nothing of this needs you any more"), "{gone}");
    server.stop().await;
}

async fn an_alert_is_acknowledged_for_some_days(database: Database) {
    let server = Server::start_with(&database, &crate::alerts::quick()).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    run_json(&database, &["site", "rotate-token", SITE, "--expires", "1", "--json"]);
    let alert = until("it is raised", async || server.reader().list("/api/v1/alerts").await.pop()).await;
    let path = format!("/alerts/{}/acknowledge", alert["id"]);
    for days in ["0", "91", "a week"] {
        assert_eq!(browser.post(&path, &[("days", days)]).await.status, 400, "{days}");
    }
    let page = act(&browser, &path, &[("days", "30")]).await;
    assert!(page.contains("Acknowledged for 30 days. Until then nobody is reminded."), "{page}");
    let until =
        server.reader().list("/api/v1/alerts").await[0]["acknowledged_until"].as_str().unwrap()[..10].to_owned();
    assert!(page.contains("acknowledged it") && page.contains(&format!(">{until}</time>")), "{page}");
    let own = see(&browser, &format!("/alerts/{}", alert["id"])).await;
    assert!(own.contains("Another cause is told all the same"), "{own}");
    server.stop().await;
}

async fn all_is_well_only_after_a_look(database: Database) {
    never_looked(&database).await;
    let (_zoho, server) = begin(&database).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    server.site().apply(&crate::sync_api::a_learner()).await;
    rest(&database).await;
    // The counts may be a moment old.
    until("nothing is on its way", async || {
        let early = see(&browser, "/").await;
        assert!(!early.contains("All is well"), "{early}");
        early.contains("Whether all is well is not known yet").then_some(())
    })
    .await;
    let early = see(&browser, "/alerts").await;
    assert!(early.contains("Whether anything is wrong is not known yet"), "{early}");
    server.stop().await;
    database.execute("UPDATE alert_turns SET lease_until = NULL").await;
    let server = Server::start(&database).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let page = until("it has looked", async || {
        let page = see(&browser, "/alerts").await;
        page.contains("Nothing is wrong: no alert is open. The rules were last evaluated at 20").then_some(page)
    });
    page.await;
    assert!(see(&browser, "/").await.contains("The alert rules were last evaluated"));
    server.stop().await;
}
