//! What Moodle knows of each kind of thing. A field has the name that it has in Moodle's database.
//!
//! Each struct is declared once and serves three times: it is read from an event ([`State::read`]), it is what readers
//! get, and its schema goes into the OpenAPI document.

use std::{fmt, str::FromStr};

use poem_openapi::{NewType, Object};
use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Decimal, Field, FieldErrorCode, Fields, Id, Time};
use crate::limits;

/// The kinds of record.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    poem_openapi::Enum,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[oai(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", parse_err_ty = UnknownKind, parse_err_fn = unknown_kind)]
pub enum Kind {
    /// A person.
    User,
    /// A course.
    Course,
    /// One person's enrolment in one course by one enrolment method.
    Enrolment,
    /// One person's grade for one grade item.
    Grade,
    /// One person's completion of one course.
    Completion,
}

impl Kind {
    /// All kinds. What others refer to comes first.
    pub const ALL: [Self; 5] = [Self::User, Self::Course, Self::Enrolment, Self::Grade, Self::Completion];

    /// The word used in the database, the API and the logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The word is not a kind of record.
#[derive(Debug, thiserror::Error)]
#[error("a kind of record is one of user, course, enrolment, grade and completion")]
pub struct UnknownKind;

fn unknown_kind(_: &str) -> UnknownKind {
    UnknownKind
}

/// The state of one kind of record.
pub trait State: Clone + PartialEq + Send + Sync {
    /// Which kind.
    const KIND: Kind;

    /// Its id in Moodle.
    fn moodle_id(&self) -> Id;

    /// The person it is about.
    fn userid(&self) -> Option<Id>;

    /// Reads all of it. `None` means that `fields` recorded errors.
    fn read(fields: &mut Fields) -> Option<Self>;

    /// Reads what says which record it is and what it belongs to, as a deletion gives it.
    fn read_references(fields: &mut Fields) -> Option<Self>;
}

/// A struct whose references are ids that are always known and whose fields may be missing or null, and its reader.
macro_rules! moodle_struct {
    (
        $(#[$meta:meta])*
        $name:ident
        references { $($(#[$ref_meta:meta])* $reference:ident,)* }
        fields { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Object)]
        pub struct $name {
            $($(#[$ref_meta])* pub $reference: Id,)*
            $($(#[$field_meta])* #[oai(nullable)] pub $field: Option<$type>,)*
        }

        impl $name {
            /// Reads all of it. `None` means that `fields` recorded errors.
            pub fn read(fields: &mut Fields) -> Option<Self> {
                $(let $reference = fields.required(stringify!($reference));)*
                $(let $field = fields.optional(stringify!($field));)*
                Some(Self { $($reference: $reference?,)* $($field: $field?,)* })
            }
        }
    };
}

/// A [`moodle_struct`] that is the state of a kind of record.
macro_rules! state {
    (
        $(#[$meta:meta])*
        $name:ident: $kind:ident by $key:ident, user $user:expr;
        references { $($(#[$ref_meta:meta])* $reference:ident,)* }
        fields { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }
    ) => {
        moodle_struct! {
            $(#[$meta])*
            $name
            references { $($(#[$ref_meta])* $reference,)* }
            fields { $($(#[$field_meta])* $field: $type,)* }
        }

        impl $name {
            /// With its references and nothing else.
            pub fn unknown($($reference: Id),*) -> Self {
                Self { $($reference,)* $($field: None,)* }
            }
        }

        impl State for $name {
            const KIND: Kind = Kind::$kind;

            fn moodle_id(&self) -> Id {
                self.$key
            }

            fn userid(&self) -> Option<Id> {
                let user: fn(&Self) -> Option<Id> = $user;
                user(self)
            }

            fn read(fields: &mut Fields) -> Option<Self> {
                Self::read(fields)
            }

            fn read_references(fields: &mut Fields) -> Option<Self> {
                $(let $reference = fields.required(stringify!($reference));)*
                Some(Self::unknown($($reference?),*))
            }
        }
    };
}

/// A role that a person has in a course. Ids of roles differ between sites; the archetype tells what a role is.
#[derive(Clone, PartialEq, Debug, Object, Serialize, Deserialize)]
pub struct Role {
    /// The role's short name (`student`, `editingteacher`, or one of the site's own).
    pub shortname: String,
    /// The kind of role that it was made from (`student`, `teacher`, ...); empty when it was made from none.
    pub archetype: String,
}

/// The roles that a person has in a course; stored as JSON text.
#[derive(Clone, PartialEq, Debug, NewType, Serialize, Deserialize, DeriveValueType)]
#[oai(to_header = false, from_parameter = false, from_multipart = false)]
#[sea_orm(value_type = "String")]
pub struct Roles(pub Vec<Role>);

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Roles {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

impl Field for Roles {
    fn parse(value: Value) -> Result<Self, FieldErrorCode> {
        let Value::Array(entries) = value else { return Err(FieldErrorCode::WrongType) };
        if entries.len() > limits::ROLES {
            return Err(FieldErrorCode::TooLong);
        }
        let role = |entry| {
            let Value::Object(map) = entry else { return Err(FieldErrorCode::WrongType) };
            let mut fields = Fields::new(map);
            let (shortname, archetype) = (fields.required("shortname"), fields.optional("archetype"));
            match (shortname, archetype) {
                (Some(shortname), Some(archetype)) => Ok(Role { shortname, archetype: archetype.unwrap_or_default() }),
                _ => Err(fields.finish().err().and_then(|errors| errors.first().map(|error| error.code)))
                    .map_err(|code| code.unwrap_or(FieldErrorCode::WrongType)),
            }
        };
        entries.into_iter().map(role).collect::<Result<_, _>>().map(Self)
    }
}

state! {
    /// A person, from Moodle's table `user`.
    User: User by userid, user |user| Some(user.userid);
    references {
        /// The user's id in Moodle.
        userid,
    }
    fields {
        /// Login name.
        username: String,
        /// First name.
        firstname: String,
        /// Last name.
        lastname: String,
        /// E-mail address.
        email: String,
        /// The college's own number for this person; empty when not set.
        idnumber: String,
        /// Telephone.
        phone1: String,
        /// Mobile phone.
        phone2: String,
        /// Institution.
        institution: String,
        /// Department.
        department: String,
        /// City or town.
        city: String,
        /// ISO 3166 country code of two letters; empty when not set.
        country: String,
        /// Preferred language.
        lang: String,
        /// Time zone; `99` is the server's.
        timezone: String,
        /// How the user logs in (`manual`, `oauth2`, ...).
        auth: String,
        /// The e-mail address was confirmed.
        confirmed: bool,
        /// The account is suspended: the user cannot log in.
        suspended: bool,
        /// When the account was created, in Unix seconds.
        timecreated: Time,
        /// When the account was last changed, in Unix seconds.
        timemodified: Time,
    }
}

state! {
    /// A course, from Moodle's table `course`.
    Course: Course by courseid, user |_| None;
    references {
        /// The course's id in Moodle.
        courseid,
    }
    fields {
        /// Full name.
        fullname: String,
        /// Short name, unique within the site.
        shortname: String,
        /// The college's own number for this course; empty when not set.
        idnumber: String,
        /// The id of the course category.
        categoryid: Id,
        /// The name of the course category.
        categoryname: String,
        /// Course format (`topics`, `weeks`, ...).
        format: String,
        /// Students can see the course.
        visible: bool,
        /// When the course begins, in Unix seconds; 0 when not set.
        startdate: Time,
        /// When the course ends, in Unix seconds; 0 when not set.
        enddate: Time,
        /// When the course was created, in Unix seconds.
        timecreated: Time,
        /// When the course was last changed, in Unix seconds.
        timemodified: Time,
    }
}

state! {
    /// An enrolment, from Moodle's table `user_enrolments`: one person in one course by one enrolment method.
    Enrolment: Enrolment by enrollmentid, user |enrolment| Some(enrolment.userid);
    references {
        /// The enrolment's id in Moodle (`user_enrolments.id`).
        enrollmentid,
        /// Who is enrolled.
        userid,
        /// In which course.
        courseid,
    }
    fields {
        /// What the original plugin sends as the role: always 5, whatever the role is. `roles` tells the real ones.
        roleid: i64,
        /// The roles that the person has in the course.
        roles: Roles,
        /// Enrolment method (`manual`, `self`, `cohort`, ...).
        enrol: String,
        /// The enrolment method is enabled in the course; when it is not, nobody enrolled by it is active.
        enabled: bool,
        /// 0 active, 1 suspended.
        status: i64,
        /// When the enrolment begins, in Unix seconds; 0 means at once.
        timestart: Time,
        /// When the enrolment ends, in Unix seconds; 0 means never.
        timeend: Time,
        /// When the enrolment was made, in Unix seconds.
        timecreated: Time,
        /// When the enrolment was last changed, in Unix seconds.
        timemodified: Time,
    }
}

state! {
    /// A grade, from Moodle's table `grade_grades`: one person's result in one grade item.
    Grade: Grade by gradeid, user |grade| Some(grade.userid);
    references {
        /// The grade's id in Moodle (`grade_grades.id`).
        gradeid,
        /// Whose grade it is.
        userid,
        /// For which grade item.
        itemid,
    }
    fields {
        /// The grade with the digits that Moodle holds; null when there is none. With a scale: the number of the scale's entry.
        finalgrade: Decimal,
        /// The grade in words when the item is graded with a scale.
        gradetext: String,
        /// The teacher's feedback, as HTML and unfiltered: escape it before you show it.
        feedback: String,
        /// The id of the user who graded; null for computed grades.
        grader: i64,
        /// The grade is hidden from the student.
        hidden: bool,
        /// When the work was submitted, in Unix seconds.
        timecreated: Time,
        /// When the grade was given, in Unix seconds.
        timemodified: Time,
    }
}

state! {
    /// The completion of a course, from Moodle's table `course_completions`.
    Completion: Completion by completionid, user |completion| Some(completion.userid);
    references {
        /// The completion's id in Moodle (`course_completions.id`).
        completionid,
        /// Who completed.
        userid,
        /// Which course.
        courseid,
    }
    fields {
        /// When the course was completed, in Unix seconds.
        timecompleted: Time,
    }
}

moodle_struct! {
    /// What is graded, from Moodle's table `grade_items`. It travels with each grade.
    #[derive(Default)]
    GradeItem
    references {}
    fields {
        /// The course of the item.
        courseid: Id,
        /// The item's name; empty or null for totals.
        itemname: String,
        /// `mod` an activity, `manual` a column made by hand, `category` a category's total, `course` the course's total.
        itemtype: String,
        /// Which activity module (`assign`, `quiz`, ...).
        itemmodule: String,
        /// The id of the activity within its module.
        iteminstance: Id,
        /// The college's own number for the item.
        itemidnumber: String,
        /// 1 a number, 2 a scale, 3 text.
        gradetype: i64,
        /// The lowest grade.
        grademin: Decimal,
        /// The highest grade.
        grademax: Decimal,
        /// The grade to pass.
        gradepass: Decimal,
        /// The id of the scale.
        scaleid: Id,
        /// The entries of the scale, lowest first, separated by commas.
        scale: String,
    }
}
