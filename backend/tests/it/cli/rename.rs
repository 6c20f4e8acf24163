//! A site gets another name while no key with the old one is in Zoho, and after a preview.

use super::{stderr, stdout};
use crate::{
    delivery::{rest, start},
    support::{
        Database, Server, ZohoSimulator,
        events::{at, course, enrolment, user, user_event},
        server::{run, run_json, run_with},
        wait::until,
    },
};

on_both_databases!(
    a_site_without_records_is_renamed_at_once,
    records_get_other_keys_after_a_preview,
    what_zoho_has_keeps_its_keys,
);

async fn a_site_without_records_is_renamed_at_once(database: Database) {
    let server = Server::start(&database).await;
    let output = run(&database, &["site", "rename", "moodle", "college"]);
    let said = "moodle is called college from now on. Its site tokens stay valid.\n";
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), said.to_owned()), "{output:?}");
    assert_eq!(server.site().read("/api/v1/events/moodle/handshake").await["site"], "college");
    run_json(&database, &["site", "add", "other", "--json"]);
    for (arguments, words) in [
        (["site", "rename", "moodle", "x"], "there is no site called moodle; see backend-sync site list"),
        (["site", "rename", "college", "other"], "a site called other already exists"),
    ] {
        let output = run(&database, &arguments);
        assert_eq!((output.status.code(), stderr(&output)), (Some(1), format!("error: {words}\n")));
    }
    server.stop().await;
}

async fn records_get_other_keys_after_a_preview(database: Database) {
    let server = Server::start(&database).await;
    server.site().apply(&[at(1, "course_created", course(2, "bio")), user_event(3, "ann")]).await;
    // The activity of the site is saved from time to time, and at the end.
    server.stop().await;
    let mapping = database.file("mapping.toml");
    let text = backend_sync::zoho::mapping::Mapping::DEFAULT;
    std::fs::write(&mapping, text.replacen("exclude_users = []", "exclude_users = [\"moodle:4\"]", 1)).unwrap();
    let zoho = ZohoSimulator::start_set_up().await;
    let mut settings = zoho.settings();
    settings.push(("BACKEND_SYNC_ZOHO__MAPPING", mapping.display().to_string()));

    let rename = ["site", "rename", "moodle", "college"];
    let asked = run_with(&database, &settings, &rename);
    assert_eq!(stderr(&asked), "error: 2 records would have other keys; confirm with --yes\n");
    let preview = stdout(&asked);
    assert_eq!(
        preview,
        format!(
            "moodle would be called college.\n\
             Here:    2 records would have keys such as college:3 instead of moodle:3. Whoever reads the API and keeps keys reads \
             everything again.\n\
             Zoho:    nothing would change: it has no record of moodle yet.\n\
             Moodle:  the site tokens stay valid. The plugin notices the name and sends everything again, which changes nothing here.\n\
             Mapping: {} names moodle:…, which must become college:…\n",
            mapping.display()
        )
    );
    assert_eq!(run_json(&database, &["site", "list", "--json"])[0]["name"], "moodle", "nothing was changed");

    let done = run(&database, &[&rename[..], &["--yes"]].concat());
    assert!(done.status.success() && stdout(&done).contains("Make a backup now"), "{done:?}");
    let doctor = stdout(&run(&database, &["doctor"]));
    assert!(!doctor.contains("has sent nothing"), "its activity goes with it: {doctor}");
    let server = start(&database, &zoho).await;
    assert_eq!(server.reader().read("/api/v1/users/college:3").await["username"], "ann");
    until("the contact has the new key", async || {
        let contacts = zoho.records("Contacts").await;
        contacts.iter().any(|contact| contact["Moodle_User_Key"] == "college:3").then_some(())
    })
    .await;
    server.stop().await;
}

async fn what_zoho_has_keeps_its_keys(database: Database) {
    let zoho = ZohoSimulator::start_set_up().await;
    let server = start(&database, &zoho).await;
    server.site().apply(&[at(1, "user_created", user(3, "ann")), at(2, "user_enrolled", enrolment(5, 3, 2))]).await;
    rest(&database).await;
    // The enrolment waits for its course: Zoho has the person alone.
    let output = run(&database, &["site", "rename", "moodle", "college", "--yes"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()));
    assert_eq!(
        stderr(&output),
        "error: Zoho has or may have 1 of the 2 records of moodle, under keys such as moodle:3. Under another name they would not be \
         known again where the key alone tells whose they are: after a lost answer, and after a restore of an older backup. Then each \
         would be created a second time. So a site can be renamed until its first delivery only, and nothing was changed. The name shows \
         in keys alone: keep it. Where it must be another one, begin anew: a new database, and in Zoho first clear the contacts' field of \
         the key and delete the other records that have such keys\n"
    );
    assert_eq!(server.site().read("/api/v1/events/moodle/handshake").await["site"], "moodle");
    // An attempt whose outcome is unknown counts too.
    database.execute("UPDATE sync_items SET remote_id = NULL").await;
    let output = run(&database, &["site", "rename", "moodle", "college", "--yes"]);
    assert!(stderr(&output).contains("Zoho has or may have 1 of the 2 records"), "{output:?}");
    server.stop().await;
}
