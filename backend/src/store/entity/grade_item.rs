//! Table `grade_items`: what is graded. Grade items are not records of their own: they arrive with the grades.

use sea_orm::{ActiveValue::Set, entity::prelude::*};

use crate::model::{Decimal, GradeItem, Id, Version};

macro_rules! grade_item {
    ($($field:ident: $type:ty,)*) => {
        #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
        #[sea_orm(table_name = "grade_items")]
        pub(crate) struct Model {
            #[sea_orm(primary_key, auto_increment = false)]
            pub(crate) site_id: i64,
            #[sea_orm(primary_key, auto_increment = false)]
            pub(crate) moodle_id: i64,
            $(pub(crate) $field: Option<$type>,)*
            pub(crate) version_time: i64,
            pub(crate) version_sequence: Option<i64>,
        }

        impl From<Model> for GradeItem {
            fn from(row: Model) -> Self {
                Self { $($field: row.$field,)* }
            }
        }

        pub(crate) fn row(site_id: i64, itemid: Id, item: GradeItem, version: Version) -> ActiveModel {
            ActiveModel {
                site_id: Set(site_id),
                moodle_id: Set(itemid.0),
                $($field: Set(item.$field),)*
                version_time: Set(version.time),
                version_sequence: Set(version.sequence),
            }
        }
    };
}

grade_item! {
    courseid: Id,
    itemname: String,
    itemtype: String,
    itemmodule: String,
    iteminstance: Id,
    itemidnumber: String,
    gradetype: i64,
    grademin: Decimal,
    grademax: Decimal,
    gradepass: Decimal,
    scaleid: Id,
    scale: String,
}

impl Model {
    pub(crate) fn version(&self) -> Version {
        Version { time: self.version_time, sequence: self.version_sequence }
    }
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
