//! The records: the current state of each user, course, enrolment, grade and completion, and of the grade items.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

use crate::create_keyed_table;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLES: [&str; 6] = ["users", "courses", "enrolments", "grade_items", "grades", "completions"];

/// A table keyed by site and Moodle id, with the columns that every record has. State and presence have separate
/// versions, so that a deletion that arrives before the last change loses nothing.
fn record_table(name: &'static str) -> TableCreateStatement {
    keyed_table(name)
        .col(text_null("extra"))
        .col(big_integer_null("version_time"))
        .col(big_integer_null("version_sequence"))
        .col(boolean("deleted"))
        .col(big_integer("presence_time"))
        .col(big_integer_null("presence_sequence"))
        .col(big_integer("changed_at"))
        .to_owned()
}

fn keyed_table(name: &'static str) -> TableCreateStatement {
    Table::create()
        .table(name)
        .col(big_integer("site_id"))
        .col(big_integer("moodle_id"))
        .primary_key(Index::create().col("site_id").col("moodle_id"))
        .foreign_key(ForeignKey::create().from(name, "site_id").to("sites", "id"))
        .to_owned()
}

fn users() -> TableCreateStatement {
    let mut table = record_table("users");
    for column in
        ["username", "firstname", "lastname", "email", "idnumber", "phone1", "phone2", "institution", "department"]
    {
        table.col(text_null(column));
    }
    for column in ["city", "country", "lang", "timezone", "auth"] {
        table.col(text_null(column));
    }
    table.col(boolean_null("confirmed")).col(boolean_null("suspended"));
    table.col(big_integer_null("timecreated")).col(big_integer_null("timemodified"));
    table
}

fn courses() -> TableCreateStatement {
    let mut table = record_table("courses");
    for column in ["fullname", "shortname", "idnumber", "categoryname", "format"] {
        table.col(text_null(column));
    }
    for column in ["categoryid", "startdate", "enddate", "timecreated", "timemodified"] {
        table.col(big_integer_null(column));
    }
    table.col(boolean_null("visible"));
    table
}

fn enrolments() -> TableCreateStatement {
    let mut table = record_table("enrolments");
    table.col(big_integer("userid")).col(big_integer("courseid"));
    table.col(text_null("enrol")).col(text_null("roles")).col(boolean_null("enabled"));
    for column in ["roleid", "status", "timestart", "timeend", "timecreated", "timemodified"] {
        table.col(big_integer_null(column));
    }
    table
}

fn grade_items() -> TableCreateStatement {
    let mut table = keyed_table("grade_items");
    for column in ["itemname", "itemtype", "itemmodule", "itemidnumber", "grademin", "grademax", "gradepass", "scale"] {
        table.col(text_null(column));
    }
    for column in ["courseid", "iteminstance", "gradetype", "scaleid"] {
        table.col(big_integer_null(column));
    }
    table.col(big_integer("version_time")).col(big_integer_null("version_sequence"));
    table
}

fn grades() -> TableCreateStatement {
    let mut table = record_table("grades");
    table.col(big_integer("userid")).col(big_integer("itemid"));
    table.col(text_null("finalgrade")).col(text_null("gradetext")).col(text_null("feedback"));
    table.col(big_integer_null("grader")).col(boolean_null("hidden"));
    table.col(big_integer_null("timecreated")).col(big_integer_null("timemodified"));
    table
}

fn completions() -> TableCreateStatement {
    let mut table = record_table("completions");
    table.col(big_integer("userid")).col(big_integer("courseid")).col(big_integer_null("timecompleted"));
    table
}

/// The columns that readers filter by, each within one site.
const INDEXES: [(&str, &str); 7] = [
    ("enrolments", "userid"),
    ("enrolments", "courseid"),
    ("grade_items", "courseid"),
    ("grades", "userid"),
    ("grades", "itemid"),
    ("completions", "userid"),
    ("completions", "courseid"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [users(), courses(), enrolments(), grade_items(), grades(), completions()] {
            create_keyed_table(manager, table).await?;
        }
        for (table, column) in INDEXES {
            let name = format!("{table}_{column}");
            let index = Index::create().name(name).table(table).col("site_id").col(column).col("moodle_id").to_owned();
            manager.create_index(index).await?;
        }
        // A hash index, because PostgreSQL's B-trees reject long values and this column is only compared for equality.
        // SQLite only has B-trees, without such a limit, and ignores the type.
        let mut email = Index::create().name("users_email").table("users").col("email").to_owned();
        if manager.get_database_backend() == DbBackend::Postgres {
            email.index_type(IndexType::Hash);
        }
        manager.create_index(email).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
