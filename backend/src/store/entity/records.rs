//! The five tables of records, which differ only in their state's columns.

use sea_orm::{ActiveValue::Set, entity::prelude::*};

use crate::{
    clock::Timestamp,
    model::{
        Categories, Completion, Course, CustomFields, Decimal, Enrolment, Grade, Id, Names, Record, Roles, State, Time,
        User, Version,
    },
};

/// A record with its place in the database.
pub struct StoredRecord<S> {
    /// The site's row id.
    pub site_id: i64,
    /// What the events made of it.
    pub record: Record<S>,
    /// When it last changed, by the server's clock.
    pub changed_at: Timestamp,
}

/// A table of records.
pub(crate) trait RecordTable: EntityTrait<Model: Send + Sync> {
    /// Its records' fields.
    type State: State;

    const SITE_ID: Self::Column;
    const MOODLE_ID: Self::Column;

    /// The state's columns that are not references: an erasure blanks them.
    const FIELDS: &'static [&'static str];

    /// The state's columns that have an index of their own.
    const INDEXED: &'static [Self::Column];

    /// Whether those columns are equal in two states. For SQLite, writing an indexed column costs an index update even
    /// if the value stays the same.
    fn same_indexed(left: &Self::State, right: &Self::State) -> bool;

    fn to_row(stored: StoredRecord<Self::State>) -> Self::ActiveModel;

    fn from_row(row: Self::Model) -> StoredRecord<Self::State>;
}

macro_rules! record_table {
    (
        $module:ident $table:literal: $state:ident by $key:ident, indexed($($column:ident $indexed:ident),*);
        references { $($reference:ident,)* }
        fields { $($field:ident: $type:ty,)* }
    ) => {
        pub(crate) mod $module {
            use super::*;

            #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
            #[sea_orm(table_name = $table)]
            pub(crate) struct Model {
                #[sea_orm(primary_key, auto_increment = false)]
                pub(crate) site_id: i64,
                #[sea_orm(primary_key, auto_increment = false)]
                pub(crate) moodle_id: i64,
                $(pub(crate) $reference: Id,)*
                $(pub(crate) $field: Option<$type>,)*
                pub(crate) extra: Option<String>,
                pub(crate) version_time: Option<i64>,
                pub(crate) version_sequence: Option<i64>,
                pub(crate) deleted: bool,
                pub(crate) presence_time: i64,
                pub(crate) presence_sequence: Option<i64>,
                pub(crate) changed_at: i64,
            }

            #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
            pub(crate) enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}

            impl RecordTable for Entity {
                type State = $state;

                const SITE_ID: Column = Column::SiteId;
                const MOODLE_ID: Column = Column::MoodleId;
                const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];
                const INDEXED: &'static [Column] = &[$(Column::$column),*];

                fn same_indexed(_left: &$state, _right: &$state) -> bool {
                    true $(&& _left.$indexed == _right.$indexed)*
                }

                fn to_row(stored: StoredRecord<$state>) -> ActiveModel {
                    let Record { state, extra, version, deleted, presence } = stored.record;
                    ActiveModel {
                        site_id: Set(stored.site_id),
                        moodle_id: Set(state.$key.0),
                        $($reference: Set(state.$reference),)*
                        $($field: Set(state.$field),)*
                        extra: Set(extra),
                        version_time: Set(version.map(|version| version.time)),
                        version_sequence: Set(version.and_then(|version| version.sequence)),
                        deleted: Set(deleted),
                        presence_time: Set(presence.time),
                        presence_sequence: Set(presence.sequence),
                        changed_at: Set(stored.changed_at.0),
                    }
                }

                fn from_row(row: Model) -> StoredRecord<$state> {
                    let state = $state {
                        $key: Id(row.moodle_id),
                        $($reference: row.$reference,)*
                        $($field: row.$field,)*
                    };
                    let sequence = row.version_sequence;
                    let record = Record {
                        state,
                        extra: row.extra,
                        version: row.version_time.map(|time| Version { time, sequence }),
                        deleted: row.deleted,
                        presence: Version { time: row.presence_time, sequence: row.presence_sequence },
                    };
                    StoredRecord { site_id: row.site_id, record, changed_at: Timestamp(row.changed_at) }
                }
            }
        }
    };
}

record_table! {
    user "users": User by userid, indexed(
        Email email, Firstname firstname, Lastname lastname, Username username, Idnumber idnumber
    );
    references {}
    fields {
        username: String,
        firstname: String,
        lastname: String,
        email: String,
        idnumber: String,
        phone1: String,
        phone2: String,
        institution: String,
        department: String,
        city: String,
        country: String,
        lang: String,
        timezone: String,
        auth: String,
        confirmed: bool,
        suspended: bool,
        timecreated: Time,
        timemodified: Time,
        profile: CustomFields,
        cohorts: Names,
    }
}

record_table! {
    course "courses": Course by courseid, indexed();
    references {}
    fields {
        fullname: String,
        shortname: String,
        idnumber: String,
        categoryid: Id,
        categoryname: String,
        format: String,
        visible: bool,
        startdate: Time,
        enddate: Time,
        timecreated: Time,
        timemodified: Time,
        categories: Categories,
        customfields: CustomFields,
    }
}

record_table! {
    enrolment "enrolments": Enrolment by enrollmentid, indexed(Userid userid, Courseid courseid);
    references { userid, courseid, }
    fields {
        roleid: i64,
        roles: Roles,
        enrol: String,
        enabled: bool,
        status: i64,
        timestart: Time,
        timeend: Time,
        timecreated: Time,
        timemodified: Time,
        groups: Names,
    }
}

record_table! {
    grade "grades": Grade by gradeid, indexed(Userid userid, Itemid itemid);
    references { userid, itemid, }
    fields {
        finalgrade: Decimal,
        gradetext: String,
        feedback: String,
        grader: i64,
        hidden: bool,
        timecreated: Time,
        timemodified: Time,
    }
}

record_table! {
    completion "completions": Completion by completionid, indexed(Userid userid, Courseid courseid);
    references { userid, courseid, }
    fields { timecompleted: Time, }
}
