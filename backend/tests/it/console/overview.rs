//! The first page summarises the state.

use crate::{
    delivery::{rest, start, until},
    support::{
        Database, Server, ZohoSimulator,
        browser::Browser,
        events::{at, user},
        server::run,
    },
    sync_api::{a_bad_user, refuse_bad_users},
};

on_both_databases!(it_says_how_it_is, it_says_when_nothing_is_there_yet);

async fn it_says_when_nothing_is_there_yet(database: Database) {
    let server = Server::start(&database).await;
    let page = Browser::signed_in(&server, server.api_token()).await.get("/").await;
    assert!(page.html.contains("No event has arrived yet"), "{}", page.html);
    server.stop().await;
}

async fn it_says_how_it_is(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann"))]).await;
    rest(&database).await;
    until("the counts are stored", async || {
        let page = browser.get("/").await;
        page.html.contains("All is well").then_some(())
    })
    .await;
    refuse_bad_users(&zoho).await;
    server.site().apply(&[a_bad_user(4)]).await;
    rest(&database).await;
    let page = browser.get("/").await.html;
    assert!(page.contains("1 record needs a person"), "{page}");
    assert!(run(&database, &["sync", "pause"]).status.success());
    let page = browser.get("/?range=week").await.html;
    assert!(page.contains("Nothing is delivered to Zoho") && page.contains("The last week"), "{page}");
    server.stop().await;
}
