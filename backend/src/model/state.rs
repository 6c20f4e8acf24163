//! The state of each kind of record. A field has the same name as in Moodle's database.
//!
//! Each struct is declared once for three purposes: it is read from an event ([`State::read`]), it is what readers get,
//! and its schema is in the OpenAPI document.

use poem_openapi::Object;

use super::{Categories, CustomFields, Decimal, Fields, Id, Names, Roles, Time};

/// The kinds of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[derive(poem_openapi::Enum, strum::Display, strum::EnumString, strum::IntoStaticStr)]
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
    /// All kinds. Those that others refer to come first.
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
    /// The kind of record.
    const KIND: Kind;

    /// Its id in Moodle.
    fn moodle_id(&self) -> Id;

    /// The id of the user it is about; none for courses.
    fn userid(&self) -> Option<Id>;

    /// The same under another id.
    fn with_id(self, id: Id) -> Self;

    /// Whether a newer state under the same id is another object, whose remote record must not be this one's: a Moodle
    /// that was restored from a backup gives ids a second time.
    fn is_replaced_by(&self, newer: &Self) -> bool;

    /// Reads all of it. `None` means that `fields` recorded errors.
    fn read(fields: &mut Fields) -> Option<Self>;

    /// Reads only the ids of the record and of what it belongs to, as a deletion carries them.
    fn read_references(fields: &mut Fields) -> Option<Self>;
}

/// Declares a struct whose references are always-known ids and whose fields may be missing or null, and its reader.
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

/// Declares a [`moodle_struct`] that is the state of a kind of record.
macro_rules! state {
    (
        $(#[$meta:meta])*
        $name:ident: $kind:ident by $key:ident, user $user:expr, replaced $replaced:expr;
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
            /// A state with its references only.
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

            fn with_id(self, id: Id) -> Self {
                Self { $key: id, ..self }
            }

            fn is_replaced_by(&self, newer: &Self) -> bool {
                let replaced: fn(&Self, &Self) -> bool = $replaced;
                replaced(self, newer)
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

/// Whether two states of one user id are two people: another account, by when it was created, with another name and
/// another address. What is not known differs from nothing.
fn is_another_person(old: &User, new: &User) -> bool {
    fn differ<T: PartialEq>(old: Option<T>, new: Option<T>) -> bool {
        old.is_some() && new.is_some() && old != new
    }
    let created = |user: &User| user.timecreated.filter(|time| time.0 > 0);
    let lower = |text: &Option<String>| text.as_ref().map(|text| text.to_lowercase());
    differ(created(old), created(new))
        && differ(lower(&old.username), lower(&new.username))
        && differ(lower(&old.email), lower(&new.email))
}

state! {
    /// A person, from Moodle's table `user`.
    User: User by userid, user |user| Some(user.userid), replaced is_another_person;
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
        /// Telephone number.
        phone1: String,
        /// Mobile phone number.
        phone2: String,
        /// Institution.
        institution: String,
        /// Department.
        department: String,
        /// City or town.
        city: String,
        /// ISO 3166 two-letter country code; empty when not set.
        country: String,
        /// Preferred language, as Moodle's language code (`en`, `de`, ...).
        lang: String,
        /// Time zone; `99` means the server's.
        timezone: String,
        /// How the user logs in (`manual`, `oauth2`, ...).
        auth: String,
        /// Whether the e-mail address is confirmed.
        confirmed: bool,
        /// Whether the account is suspended, so that the user cannot log in.
        suspended: bool,
        /// When the account was created, in Unix seconds.
        timecreated: Time,
        /// When the account was last changed, in Unix seconds.
        timemodified: Time,
        /// Custom profile fields that the site sends, by their short names; those without a value are left out. A
        /// checkbox is `1` or `0`, a date `2026-11-28` or `2026-11-28T09:00:00Z`; a text area is unsanitised HTML:
        /// escape it before showing it. Null when the site sends none.
        profile: CustomFields,
        /// The names of the cohorts that the person is in; null when the site sends none.
        cohorts: Names,
    }
}

state! {
    /// A course, from Moodle's table `course`.
    Course: Course by courseid, user |_| None, replaced |_, _| false;
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
        /// Whether students can see the course.
        visible: bool,
        /// When the course begins, in Unix seconds; 0 when not set.
        startdate: Time,
        /// When the course ends, in Unix seconds; 0 when not set.
        enddate: Time,
        /// When the course was created, in Unix seconds.
        timecreated: Time,
        /// When the course was last changed, in Unix seconds.
        timemodified: Time,
        /// The categories that it is in, from the top to its own.
        categories: Categories,
        /// Custom fields that the site sends, by their short names, in the same forms as those of users; null when it
        /// sends none.
        customfields: CustomFields,
    }
}

state! {
    /// An enrolment, from Moodle's table `user_enrolments`: one person in one course by one enrolment method.
    Enrolment: Enrolment by enrollmentid, user |enrolment| Some(enrolment.userid), replaced |_, _| false;
    references {
        /// The enrolment's id in Moodle (`user_enrolments.id`).
        enrollmentid,
        /// The id of the enrolled user.
        userid,
        /// The id of the course.
        courseid,
    }
    fields {
        /// Always 5 from the original plugin, whatever the role; `roles` has the real ones.
        roleid: i64,
        /// The person's roles in the course.
        roles: Roles,
        /// Enrolment method (`manual`, `self`, `cohort`, ...).
        enrol: String,
        /// Whether the enrolment method is enabled in the course; if not, no one enrolled by it is active.
        enabled: bool,
        /// 0 active, 1 suspended.
        status: i64,
        /// When the enrolment begins, in Unix seconds; 0 means immediately.
        timestart: Time,
        /// When the enrolment ends, in Unix seconds; 0 means never.
        timeend: Time,
        /// When the enrolment was created, in Unix seconds.
        timecreated: Time,
        /// When the enrolment was last changed, in Unix seconds.
        timemodified: Time,
        /// The names of the groups that the person is in, in this course; null when the site sends none.
        groups: Names,
    }
}

state! {
    /// A grade, from Moodle's table `grade_grades`: one person's result in one grade item.
    Grade: Grade by gradeid, user |grade| Some(grade.userid), replaced |old, new| {
        // Its key at the destination.
        (old.userid, old.itemid) != (new.userid, new.itemid)
    };
    references {
        /// The grade's id in Moodle (`grade_grades.id`).
        gradeid,
        /// The id of the graded user.
        userid,
        /// The id of the grade item.
        itemid,
    }
    fields {
        /// The grade, with the digits that Moodle stores; null when there is none. With a scale: the number of the
        /// scale's entry.
        finalgrade: Decimal,
        /// The grade in words, when the item is graded with a scale.
        gradetext: String,
        /// The teacher's feedback as unsanitised HTML: escape it before showing it.
        feedback: String,
        /// The id of the user who graded; null for computed grades.
        grader: i64,
        /// Whether the grade is hidden from the student.
        hidden: bool,
        /// When the work was submitted, in Unix seconds.
        timecreated: Time,
        /// When the grade was given, in Unix seconds.
        timemodified: Time,
    }
}

state! {
    /// The completion of a course, from Moodle's table `course_completions`.
    Completion: Completion by completionid, user |completion| Some(completion.userid), replaced |_, _| false;
    references {
        /// The completion's id in Moodle (`course_completions.id`).
        completionid,
        /// The id of the user who completed the course.
        userid,
        /// The id of the completed course.
        courseid,
    }
    fields {
        /// When the course was completed, in Unix seconds.
        timecompleted: Time,
    }
}

moodle_struct! {
    /// A grade item, from Moodle's table `grade_items`. It arrives with each grade.
    #[derive(Default)]
    GradeItem
    references {}
    fields {
        /// The id of the course.
        courseid: Id,
        /// The item's name; empty or null for totals.
        itemname: String,
        /// `mod` (an activity), `manual` (a column added by hand), `category` (a category total) or `course` (the
        /// course total).
        itemtype: String,
        /// The activity module (`assign`, `quiz`, ...).
        itemmodule: String,
        /// The id of the activity within its module.
        iteminstance: Id,
        /// The college's own number for this item.
        itemidnumber: String,
        /// 1 number, 2 scale, 3 text.
        gradetype: i64,
        /// The lowest possible grade.
        grademin: Decimal,
        /// The highest possible grade.
        grademax: Decimal,
        /// The lowest grade that passes; 0 when not set.
        gradepass: Decimal,
        /// The id of the scale.
        scaleid: Id,
        /// The entries of the scale, lowest first, separated by commas.
        scale: String,
    }
}
