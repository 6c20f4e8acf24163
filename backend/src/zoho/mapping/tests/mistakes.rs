//! Every mistake in a mapping file is reported with its line and reason.

use super::super::{Mapping, MappingError};

/// A valid mapping of 7 lines; what is added begins on line 8, within `[user.fields]`.
const BEGINNING: &str = "[filter]\n\n[user]\nmodule = \"Contacts\"\nkey = \"Moodle_User_Key\"\n\n[user.fields]\n";

fn refused(text: &str) -> MappingError {
    Mapping::parse(text).err().unwrap_or_else(|| panic!("nothing is wrong with {text}"))
}

/// The only mistake in this rule for a user's field.
fn wrong(rule: &str) -> String {
    let error = refused(&format!("{BEGINNING}F = {rule}\n"));
    assert_eq!(error.problems.len(), 1, "{error}");
    error.problems[0].to_string()
}

#[test]
fn the_default_is_valid() {
    let mapping = Mapping::parse(Mapping::DEFAULT).unwrap();
    assert_eq!(mapping.modules().count(), 4);
    assert!(mapping.tracking().is_some() && !mapping.filter().restricts_courses());
}

#[test]
fn fields() {
    for (rule, expected) in [
        ("\"firstname\"", "must be a table such as F = { from = \"...\" }, not a text"),
        ("{}", "needs exactly one source: from, join, value or lookup"),
        ("{ from = \"city\", value = 1 }", "needs exactly one source: from, join, value or lookup"),
        ("{ from = \"town\" }", "from: user records have no \"town\"; `backend-sync zoho mapping` lists all sources"),
        (
            "{ join = [\"city\", \"user.city\"] }",
            "join: user records have no \"user.city\"; `backend-sync zoho mapping` lists all sources",
        ),
        ("{ from = [] }", "from is empty"),
        ("{ from = 7 }", "from must be a text or a list of texts, not a number"),
        ("{ from = [\"city\", 7] }", "from must hold texts, not a number"),
        ("{ from = \"city\", with = \" \" }", "with is only for join"),
        ("{ value = [1] }", "value must be a text, a number, true or false"),
        ("{ value = inf }", "value must be a text, a number, true or false"),
        (
            "{ lookup = \"course\" }",
            "lookup is for enrolments, grades and completions; a user belongs to no other record",
        ),
        ("{ lookup = \"item\" }", "lookup must be one of \"user\", \"course\""),
        ("{ from = \"city\", plain = 1 }", "plain must be true or false, not a number"),
        ("{ from = \"suspended\", plain = true }", "plain is for texts"),
        ("{ from = \"city\", map = 1 }", "map must be a table, not a number"),
        ("{ from = \"city\", map = {} }", "map is empty"),
        ("{ from = \"city\", map = { a = [] } }", "map: \"a\" must become a text, a number, true or false"),
        ("{ from = \"city\", otherwise = 1 }", "otherwise is only for map"),
        ("{ from = \"city\", map = { a = 1 }, plain = true }", "plain, map and bands exclude each other"),
        ("{ value = 1, map = { a = 1 } }", "map is for from and join"),
        ("{ from = \"city\", bands = [{ from = 0, to = 1 }] }", "bands are for numbers"),
        (
            "{ from = \"userid\", bands = 7 }",
            "bands must be a list such as [{ from = 40, to = \"Pass\" }, { from = 0, to = \"Refer\" }]",
        ),
        ("{ from = \"userid\", bands = [] }", "bands is empty"),
        ("{ from = \"userid\", bands = [7] }", "bands: each must be a table such as { from = 40, to = \"Pass\" }"),
        ("{ from = \"city\", date = \"date\" }", "date is for times"),
        ("{ from = \"city\", decimals = 1 }", "decimals is for numbers"),
        ("{ from = \"userid\", decimals = 10 }", "decimals must be a whole number from 0 to 9"),
        ("{ from = \"city\", owner = \"me\" }", "owner must be one of \"moodle\", \"zoho\", \"first\""),
        ("{ from = \"city\", null = \"drop\" }", "null must be one of \"clear\", \"keep\""),
        ("{ from = \"city\", too_long = true }", "too_long must be one of \"cut\", \"fail\""),
        ("{ from = \"city\", length = 0 }", "length must be a whole number from 1 to 50000"),
        ("{ from = \"city\", values = [\"a\"] }", "values is only for type = \"picklist\""),
        ("{ from = \"city\", type = \"lookup\" }", "type \"lookup\" and lookup go together"),
    ] {
        assert_eq!(wrong(rule), format!("line 8: [user.fields] F: {expected}"));
    }
    assert!(
        wrong("{ from = \"city\", ownr = \"zoho\" }")
            .starts_with("line 8: [user.fields] F: ownr is unknown; known are with, from, ")
    );
    assert!(
        wrong("{ from = \"city\", type = \"word\" }")
            .starts_with("line 8: [user.fields] F: type must be one of \"text\", ")
    );
    let band = "line 8: [user.fields] F bands: ";
    assert_eq!(
        wrong("{ from = \"userid\", bands = [{ from = 0 }] }"),
        format!("{band}needs from, a number, and to, a text, a number, true or false")
    );
    assert_eq!(
        wrong("{ from = \"userid\", bands = [{ from = 5, to = 1 }, { from = 5.0, to = 2 }] }"),
        format!("{band}two bands begin at 5.0")
    );
}

#[test]
fn tables() {
    let user = "module = \"Contacts\"\nkey = \"Key\"\n";
    let fields = "[user.fields]\nCity = { from = \"city\" }\n";
    for (text, expected) in [
        (format!("[user]\n{user}"), "line 1: [user]: [user.fields] is missing"),
        (format!("\n[user]\nkey = \"Key\"\n{fields}"), "line 2: [user]: module is missing"),
        (format!("[user]\nmodule = \"Contacts\"\n{fields}"), "line 1: [user]: key is missing"),
        (
            format!("[user]\n{user}on_delete = \"hide\"\n{fields}"),
            "line 4: [user]: on_delete must be one of \"mark\", \"blank\", \"delete\", \"keep\"",
        ),
        (
            format!("[user]\n{user}trigger = [\"workflow\", \"all\"]\n{fields}"),
            "line 4: [user]: trigger may only hold workflow, approval, blueprint, pathfinder, orchestration, cadences",
        ),
        (
            format!("[user]\n{user}match = \"Email\"\n{fields}"),
            "line 4: [user]: match must begin with one of [user.fields] that Zoho does not own",
        ),
        (
            format!("[user]\n{user}match = [\"City\", \"A\", \"B\", \"C\"]\n{fields}"),
            "line 4: [user]: match must name at most 3 fields",
        ),
        (
            format!("[user]\n{user}match_leads = true\n{fields}"),
            "line 4: [user]: match_leads needs match: it names what leads are compared by",
        ),
        (format!("[user]\n{user}singular = \"Person\"\n{fields}"), "line 1: [user]: singular and plural go together"),
        (
            format!("[user]\n{user}singular = \"Person\"\nplural = \"All-people\"\n{fields}"),
            "line 5: [user]: plural must have 1 to 25 letters, digits and spaces",
        ),
        (
            format!("[user]\n{user}{fields}[user.deleted]\nCity = []\n"),
            "line 7: [user.deleted] City: must be a text, a number, true, false or { clear = true }",
        ),
        (
            format!("[user]\n{user}on_delete = \"keep\"\n{fields}[user.deleted]\nCity = 1\n"),
            "line 7: [user.deleted]: nothing is written with on_delete = \"delete\" or \"keep\"; remove this table",
        ),
        (
            format!("[user]\n{user}{fields}Key = {{ from = \"key\" }}\n"),
            "line 6: [user.fields] Key: is the key and cannot be mapped again",
        ),
        (
            format!("[user]\n{user}{fields}Moodle_Last_Sync = {{ value = 1 }}\n"),
            "line 6: [user.fields] Moodle_Last_Sync: is a tracking field and cannot be mapped",
        ),
        (format!("[tracking]\nerror = \"Key\"\n[user]\n{user}{fields}"), "line 5: [user]: key is a tracking field"),
        (
            format!("[tracking]\nerror = \"A\"\nstatus = \"A\"\n[user]\n{user}{fields}"),
            "line 1: [tracking]: two of the tracking fields have the same name",
        ),
        (
            format!("[tracking]\nenabled = \"no\"\n[user]\n{user}{fields}"),
            "line 2: [tracking]: enabled must be true or false, not a text",
        ),
        (
            "[grade]\nmodule = \"G\"\nkey = \"Key\"\n[grade.fields]\nContact = { lookup = \"user\" }\n".to_owned(),
            "line 5: [grade.fields] Contact: lookup needs a table [user], so that there is a user to point to",
        ),
        (
            format!("[course]\n{user}[course.fields]\nN = {{ from = \"fullname\" }}\n[user]\n{user}{fields}"),
            "line 1: [course]: [user] has the same module and key; records would overwrite each other",
        ),
        (
            "[filter]\ngrades = \"some\"\n".to_owned(),
            "line 2: [filter]: grades must be one of \"all\", \"totals\", \"items\"",
        ),
        (
            "[filter]\nexclude_users = [\"college:3\", \"ann\"]\n".to_owned(),
            "line 2: [filter]: exclude_users must hold the keys of people: the site's name and their id in Moodle, such as \"college:3\"",
        ),
        (
            "[filter]\nexclude = { haircolour = \"red\" }\n".to_owned(),
            "line 2: [filter] exclude: haircolour is no field of people in Moodle",
        ),
        ("user = 7\n".to_owned(), "line 1: user must be a table, not a number"),
    ] {
        let error = refused(&text);
        assert_eq!(error.problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected], "{text}");
    }
    let error = refused("[usr]\n").to_string();
    assert!(error.contains("line 1: usr is unknown; known are filter, tracking, user, course, "), "{error}");
    let error = refused(
        "[course]\nmodule = \"1x\"\nkey = \"K\"\nmatch = \"Email\"\n[course.fields]\n\"a b\" = { value = 1 }\n",
    );
    let lines: Vec<_> = error.problems.iter().map(|problem| (problem.line, problem.place.as_str())).collect();
    assert_eq!(lines, [(2, "[course]"), (4, "[course]"), (6, "[course.fields] a b")], "{error}");
}

#[test]
fn all_mistakes_are_reported_at_once_by_line() {
    let text = format!(
        "{BEGINNING}A = {{ from = [\"x\", \"y\"], colour = 1 }}\nB = 7\n\n[grade]\nkey = \"K\"\nmodul = \"M\"\n[grade.fields]\n"
    );
    let error = refused(&text);
    let lines: Vec<_> = error.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [8, 8, 8, 9, 11, 13], "{error}");
    assert!(
        error
            .to_string()
            .starts_with("the mapping file has mistakes:\n  line 8: [user.fields] A: from: user records have no \"x\"")
    );
}

#[test]
fn syntax_errors_have_lines_too() {
    let error = refused("[user\nmodule = \"M\"\n[user.fields]\nA = { from = \"city\" }\nA = 1\n");
    let lines: Vec<_> = error.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [1, 5], "{error}");
}
