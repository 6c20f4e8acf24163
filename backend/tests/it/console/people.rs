//! What needs attention, people, records.

use serde_json::json;

use crate::{
    delivery::{item, rest, until},
    support::{
        Database,
        browser::Browser,
        events::{at, course, enrolment, grade, user},
        server::run_json,
    },
    sync_api::{a_bad_user, a_learner, begin},
};

on_both_databases!(
    a_failed_record_is_seen_and_retried,
    what_is_paused_says_so,
    people_are_found_by_whatever_is_typed,
    a_person_says_why_a_grade_is_not_there,
    records_are_listed_page_by_page,
    only_operators_act_and_from_here_alone,
);

/// The HTML of a page, which must exist.
pub(super) async fn see(browser: &Browser, path: &str) -> String {
    let answer = browser.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.html);
    answer.html
}

/// Submits a form, and follows the redirect.
pub(super) async fn act(browser: &Browser, path: &str, form: &[(&str, &str)]) -> String {
    let answer = browser.post(path, form).await;
    assert_eq!(answer.status, 303, "{path}: {}", answer.html);
    see(browser, answer.header("location").unwrap()).await
}

const GROUP: [(&str, &str); 4] =
    [("destination", "zoho"), ("state", "failed"), ("kind", "user"), ("code", "INVALID_DATA")];

async fn a_failed_record_is_seen_and_retried(database: Database) {
    let (_zoho, server) = begin(&database).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    server.site().apply(&a_learner()).await;
    rest(&database).await;
    let page = see(&browser, "/attention").await;
    assert!(page.contains("Nothing here needs you"), "{page}");

    // Zoho refuses one person, and the enrolment of an unknown user waits.
    server.site().apply(&[a_bad_user(2), at(1, "enrolment_updated", enrolment(2, 9, 7))]).await;
    rest(&database).await;
    let (state, code) = item(&database, "user", 2).await;
    assert_eq!(state, "failed", "{code:?}");
    let code = code.unwrap();
    let page = see(&browser, "/attention").await;
    for words in
        ["What to do:", "Retry it", "/records/user:moodle:2", "/records/enrolment:moodle:2", "delivered automatically"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    let (failed, parked) = (page.find("failed</span>").unwrap(), page.find("parked</span>").unwrap());
    assert!(failed < parked, "what needs a person comes first");

    // Nothing was corrected, so the new attempt fails too.
    let tries = database.count("SELECT count(*) FROM sync_attempts WHERE kind = 'user' AND moodle_id = 2").await;
    let mut group = GROUP;
    group[3].1 = &code;
    let page = act(&browser, "/attention/retry", &group).await;
    assert!(page.contains("Retrying 1 record now"), "{page}");
    rest(&database).await;
    until("it is retried", async || {
        let now = database.count("SELECT count(*) FROM sync_attempts WHERE kind = 'user' AND moodle_id = 2").await;
        (now > tries).then_some(())
    })
    .await;
    for wrong in [("state", "synced"), ("kind", "planet"), ("destination", "nowhere")] {
        let form: Vec<_> = group.iter().map(|pair| if pair.0 == wrong.0 { wrong } else { *pair }).collect();
        let status = browser.post("/attention/retry", &form).await.status;
        assert!([400, 404].contains(&status), "{wrong:?}: {status}");
    }
    server.stop().await;
}

async fn what_is_paused_says_so(database: Database) {
    let (_zoho, server) = begin(&database).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let form = [("destination", "zoho"), ("reason", "Moving <house>.")];
    let page = act(&browser, "/attention/pause", &form).await;
    assert!(page.contains("Delivery is paused") && page.contains("by an operator"), "{page}");
    assert!(page.contains("Moving &#60;house&#62;."), "{page}");
    server.site().apply(&a_learner()).await;
    let person = see(&browser, "/people/moodle:1").await;
    assert!(person.contains("because delivery to Zoho is paused: Moving"), "{person}");
    let page = act(&browser, "/attention/resume", &form).await;
    assert!(page.contains("Delivery is running again") && !page.contains("by an operator"), "{page}");
    rest(&database).await;
    let person = see(&browser, "/people/moodle:1").await;
    assert!(person.contains("All 3 records are in Zoho."), "{person}");
    server.stop().await;
}

async fn people_are_found_by_whatever_is_typed(database: Database) {
    let (zoho, server) = begin(&database).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    let person = |id: i64, first: &str, last: &str, idnumber: &str| {
        let mut user = user(id, &format!("login{id}"));
        (user["firstname"], user["lastname"], user["idnumber"]) = (json!(first), json!(last), json!(idnumber));
        at(1, "user_created", user)
    };
    let gone = json!({ "userid": 4, "username": "login4" });
    server
        .site()
        .apply(&[
            person(1, "Ann", "Özil", "S-100"),
            person(2, "Annabel", "van der Berg", "S-1001"),
            person(3, "Bert", "O'Neil", "T-1"),
            person(4, "Dora", "Left", "T-2"),
            at(2, "user_deleted", gone),
        ])
        .await;
    rest(&database).await;
    let contact = zoho.records("Contacts").await;
    let of_ann = contact.iter().find(|contact| contact["Moodle_User_Key"] == json!("moodle:1")).unwrap();
    let zoho_id = of_ann["id"].as_str().unwrap();
    let found = async |typed: &str| {
        let query = reqwest::Url::parse_with_params("http://x/", [("q", typed)]).unwrap();
        let page = see(&browser, &format!("/people?{}", query.query().unwrap())).await;
        let links = page.split("href=\"/people/moodle:").skip(1);
        links.map(|rest| rest.split('"').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (typed, ids) in [
        ("ann", vec!["1", "2"]),
        ("ANNABEL", vec!["2"]),
        ("özil", vec!["1"]),
        ("Ann Özil", vec!["1"]),
        ("berg", vec![]),
        ("van der berg", vec!["2"]),
        ("annabel van", vec!["2"]),
        ("O'Neil, Bert", vec!["3"]),
        ("o'neil bert", vec!["3"]),
        ("login3", vec!["3"]),
        ("LOGIN3@example", vec!["3"]),
        ("s-100", vec!["1", "2"]),
        ("3", vec!["3"]),
        ("moodle:2", vec!["2"]),
        (zoho_id, vec!["1"]),
        ("dora", vec!["4"]),
        ("nobody", vec![]),
        ("", vec![]),
        ("%", vec![]),
        ("a\0b", vec![]),
    ] {
        assert_eq!(found(typed).await, ids, "{typed}");
    }
    let page = see(&browser, "/people?q=s-100").await;
    assert!(page.find("moodle:1").unwrap() < page.find("moodle:2").unwrap(), "the whole value first");
    assert!(page.contains("exact match") && page.contains("synced</span>"), "{page}");
    assert!(see(&browser, "/people?q=dora").await.contains("deleted in Moodle"));
    assert!(see(&browser, "/people?q=%3Cscript%3E").await.contains("&#60;script&#62;"));
    assert!(
        !server.log().contains("annabel") && !server.log().to_lowercase().contains("s-100"),
        "no search in the log"
    );
    server.stop().await;
}

async fn a_person_says_why_a_grade_is_not_there(database: Database) {
    let (zoho, server) = begin(&database).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    assert_eq!(browser.get("/people/moodle:1").await.status, 404);
    server.site().apply(&a_learner()[1..]).await;
    server.site().apply(&[a_bad_user(1)]).await;
    rest(&database).await;
    let page = see(&browser, "/people/moodle:1").await;
    assert!(
        page.contains("The profile could not be delivered to Zoho and needs you, and 2 of 3 records wait for it"),
        "{page}"
    );
    for words in ["It waits for user moodle:1", "Maths", "Grade: Item 1", "85 of 100", "user_created", "ask her mother"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    // Moodle corrects it; everything is delivered. The history shows the newest first.
    server.site().apply(&[at(9, "user_updated", user(1, "ann"))]).await;
    rest(&database).await;
    let page = see(&browser, "/people/moodle:1").await;
    assert!(page.contains("All 3 records are in Zoho."), "{page}");
    assert!(page.contains("Ann O&#39;Neil</h1>"), "{page}");
    let (new, old) = (page.find("reported user_updated").unwrap(), page.find("reported user_created").unwrap());
    assert!(new < old, "the newest first");

    zoho.empty_log().await;
    let page = act(&browser, "/people/moodle:1/send", &[("what", "all")]).await;
    assert!(page.contains("Sending 3 records again"), "{page}");
    rest(&database).await;
    assert!(!zoho.log().await.is_empty(), "it was sent, changed or not");
    assert_eq!(browser.post("/people/moodle:1/send", &[("what", "x")]).await.status, 400);

    // Many events, in pages without repetition.
    let events: Vec<_> =
        (10..80).map(|version| at(version, "grade_updated", grade(1, 1, 1, 7, &format!("{version}.0")))).collect();
    server.site().apply(&events).await;
    rest(&database).await;
    let (mut path, mut seen) = ("/people/moodle:1".to_owned(), Vec::new());
    loop {
        let page = see(&browser, &path).await;
        seen.extend(
            page.split("<p class=\"faint\">event ")
                .skip(1)
                .map(|rest| rest.split(',').next().unwrap().parse::<i64>().unwrap()),
        );
        let Some(older) = page.split("?before=").nth(1) else { break };
        path = format!("/people/moodle:1?before={}", older.split('#').next().unwrap());
    }
    assert_eq!(seen.len(), 74, "all events of the person: {seen:?}");
    assert!(seen.is_sorted_by(|left, right| left > right), "{seen:?}");
    assert_eq!(browser.get("/people/moodle:1?before=x").await.status, 404);
    server.stop().await;
}

async fn records_are_listed_page_by_page(database: Database) {
    let (_zoho, server) = begin(&database).await;
    let browser = Browser::signed_in(&server, server.api_token()).await;
    server.site().apply(&a_learner()).await;
    let users: Vec<_> = (100..220).map(|id| at(1, "user_created", user(id, &format!("u{id}")))).collect();
    server.site().apply(&users).await;
    server.site().apply(&[at(1, "course_created", course(8, "Art")), a_bad_user(99)]).await;
    rest(&database).await;
    let (mut path, mut seen) = ("/records".to_owned(), Vec::new());
    loop {
        let page = see(&browser, &path).await;
        let links = page.split("<td><a href=\"/records/").skip(1);
        seen.extend(links.map(|rest| rest.split('"').next().unwrap().to_owned()));
        match page.split("rel=\"next\"").next().filter(|_| page.contains("rel=\"next\"")) {
            Some(before) => {
                let link = before.rsplit("href=\"").next().unwrap();
                path = link.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
            }
            None => break,
        }
    }
    let all = database.count("SELECT count(*) FROM sync_items").await;
    assert_eq!(i64::try_from(seen.len()).unwrap(), all);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(i64::try_from(seen.len()).unwrap(), all, "nothing twice");

    let rows = async |query: &str| {
        let csv = see(&browser, &format!("/records.csv?{query}")).await;
        csv.lines().skip(1).map(|line| line.split(',').take(3).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(i64::try_from(rows("").await.len()).unwrap(), all);
    assert_eq!(rows("state=failed").await, ["user moodle:99 failed"]);
    assert_eq!(
        rows("user=moodle:1").await,
        ["enrolment moodle:1 synced", "grade moodle:1 synced", "user moodle:1 synced"]
    );
    assert_eq!(
        rows("course=moodle:7").await,
        ["course moodle:7 synced", "enrolment moodle:1 synced", "grade moodle:1 synced"]
    );
    assert_eq!(rows("course=moodle:7&kind=grade&site=moodle&state=").await, ["grade moodle:1 synced"]);
    assert!(rows("course=moodle:7&state=failed").await.is_empty());
    for (query, words) in [("user=7", "college:3"), ("kind=planet", "no such kind"), ("site=x", "no site")] {
        assert!(see(&browser, &format!("/records?{query}")).await.contains(words), "{query}");
        assert_eq!(browser.get(&format!("/records.csv?{query}")).await.status, 400);
    }

    let page = see(&browser, "/records/grade:moodle:1").await;
    for words in ["finalgrade", "85.00000", "grademax", "/people/moodle:1", "/records/course:moodle:7", "inserted"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("hx-get"), "a settled item is not polled");
    let page = act(&browser, "/records/grade:moodle:1/send", &[]).await;
    assert!(page.contains("Sending 1 record again"), "{page}");
    rest(&database).await;
    assert!(see(&browser, "/records/grade:moodle:1/state").await.starts_with("<div id=\"state\""));
    let page = see(&browser, "/records/course:moodle:7").await;
    assert!(page.contains("course_created") && page.contains("shortname"), "{page}");
    for missing in ["/records/grade:moodle:77", "/records/planet:moodle:1", "/records/x", "/records/user:nowhere:1"] {
        assert_eq!(browser.get(missing).await.status, 404, "{missing}");
    }
    server.stop().await;
}

async fn only_operators_act_and_from_here_alone(database: Database) {
    let (_zoho, server) = begin(&database).await;
    server.site().apply(&a_learner()).await;
    server.site().apply(&[a_bad_user(2)]).await;
    rest(&database).await;
    let operator = Browser::signed_in(&server, server.api_token()).await;
    let token = run_json(&database, &["token", "add", "looker", "--scope", "read", "--json"]);
    let looker = Browser::signed_in(&server, token["token"].as_str().unwrap()).await;
    let actions: [(&str, &[(&str, &str)]); 5] = [
        ("/attention/retry", &GROUP),
        ("/attention/pause", &[("destination", "zoho")]),
        ("/attention/resume", &[("destination", "zoho")]),
        ("/people/moodle:1/send", &[("what", "all")]),
        ("/records/user:moodle:1/send", &[]),
    ];
    let revisions = "SELECT CAST(sum(revision) AS bigint) FROM sync_items";
    let before = database.count(revisions).await;
    for (path, form) in actions {
        assert_eq!(looker.post(path, form).await.status, 403, "{path}");
        assert_eq!(operator.post_from(path, form, &[("sec-fetch-site", "cross-site")]).await.status, 403, "{path}");
        assert_eq!(operator.post_from(path, form, &[("sec-fetch-site", "same-site")]).await.status, 403, "{path}");
    }
    assert_eq!(database.count(revisions).await, before, "nothing was done");
    assert_eq!(database.count("SELECT count(*) FROM destinations WHERE pause IS NOT NULL").await, 0);
    for path in ["/attention", "/people?q=ann", "/people/moodle:1", "/records", "/records/user:moodle:1"] {
        let page = see(&looker, path).await;
        let forms = page.matches("method=\"post\"").count();
        assert_eq!(forms, 1, "{path}: only the sign-out is offered");
    }
    for path in ["/people/moodle:1", "/records.csv", "/records/user:moodle:1", "/records/user:moodle:1/state"] {
        assert_eq!(Browser::new(&server).get(path).await.status, 303, "{path}");
    }
    let audit = run_json(&database, &["sync", "audit", "--json"]);
    assert_eq!(audit["holds"], json!(true));
    server.stop().await;
}
