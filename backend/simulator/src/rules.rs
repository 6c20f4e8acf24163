//! Every rule of Zoho's that the simulator enforces, in one table: what it says, where that is said, and the error with
//! which Zoho refuses what breaks it.
//!
//! A test breaks each of them (`tests::rules`). The log of calls names the rules that an answer is due to, so that one
//! can see which of them a client meets: `GET /__sim/rules`.

use poem::http::StatusCode;
use serde::Serialize;

/// Where a rule is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    /// Zoho's OpenAPI files.
    File,
    /// Zoho's documentation pages.
    Page,
    /// What people who use the API have seen.
    Report,
}

/// A row of the table.
pub(super) struct Row {
    /// The rule in a sentence.
    pub(super) says: &'static str,
    pub(super) source: Source,
    /// Status, code and message of the refusal. Rules without one change what a call does.
    pub(super) refusal: Option<(u16, &'static str, &'static str)>,
}

macro_rules! rules {
    ($($name:ident: $source:ident $says:literal $(=> $status:literal $code:literal $message:literal)?;)*) => {
        /// A rule.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum Rule {
            $(#[doc = $says] $name,)*
        }

        impl Rule {
            /// All rules.
            pub(super) const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its row.
            pub(super) const fn row(self) -> Row {
                match self {
                    $(Self::$name => Row {
                        says: $says,
                        source: Source::$source,
                        refusal: rules!(@refusal $($status $code $message)?),
                    },)*
                }
            }
        }
    };
    (@refusal) => { None };
    (@refusal $status:literal $code:literal $message:literal) => { Some(($status, $code, $message)) };
}

impl Rule {
    /// Status, code and message of its refusal; those of an internal error if it has none.
    pub(super) fn refusal(self) -> (StatusCode, &'static str, &'static str) {
        let (status, code, message) =
            self.row().refusal.unwrap_or((500, "INTERNAL_ERROR", "internal server error occurred"));
        (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), code, message)
    }
}

rules! {
    // The call.
    TokenIsKnown: Page "the header is Zoho-oauthtoken with one of the 15 youngest tokens, at most an hour old"
        => 401 "INVALID_TOKEN" "invalid oauth token";
    ScopesCoverCall: File "the token has one of the sets of scopes that the call needs"
        => 401 "OAUTH_SCOPE_MISMATCH" "invalid oauth scope to access this URL";
    CreditsLast: Page "the credits of the last 24 hours are not used up"
        => 429 "LIMIT_EXCEEDED" "the credits of the last 24 hours are used up";
    CallsAtOnce: Page "no more calls run at once than the edition allows, and no more than 10 that write over 10 records"
        => 429 "TOO_MANY_REQUESTS" "too many requests at the same time";
    UrlIsKnown: File "the path is one of the API's" => 404 "INVALID_URL_PATTERN" "please check if the URL trying to access is a correct one";
    MethodFits: File "the path takes this method"
        => 400 "INVALID_REQUEST_METHOD" "the http request method type is not a valid one";
    ModuleExists: File "the module exists" => 400 "INVALID_MODULE" "the module name given seems to be invalid";
    ParameterIsThere: File "mandatory parameters are there"
        => 400 "REQUIRED_PARAM_MISSING" "one of the expected parameter is missing";
    ParameterFits: File "parameters have their type" => 400 "INVALID_DATA" "invalid parameter";
    BodyFits: File "the body is JSON of the documented shape" => 400 "INVALID_DATA" "body";
    RecordsPerCall: Page "a call writes 1 to 100 records" => 400 "INVALID_DATA" "the number of records is not allowed";
    IdsPerCall: File "ids take at most 1,024 characters" => 400 "LIMIT_EXCEEDED" "too many ids";
    FieldsPerCall: Page "a call names at most 50 fields" => 400 "LIMIT_EXCEEDED" "too many fields";
    PagesByToken: Page "from the 2,001st record on, pages are reached by page_token"
        => 400 "DISCRETE_PAGINATION_LIMIT_EXCEEDED" "use page_token to go on";

    // A record.
    RecordExists: Page "the id is that of a record of this module" => 400 "INVALID_DATA" "the id given seems to be invalid";
    IdIsGiven: Page "an update names the record's id" => 400 "MANDATORY_NOT_FOUND" "required field not found";
    MandatoryFields: Page "mandatory fields are there and not cleared"
        => 400 "MANDATORY_NOT_FOUND" "required field not found";
    ValuesFit: Page "values have their field's type, length and pattern" => 400 "INVALID_DATA" "invalid data";
    LookupExists: Page "a lookup's record exists" => 400 "INVALID_DATA" "the id given seems to be invalid";
    UniqueFields: Page "no two records have the same value in a unique field"
        => 400 "DUPLICATE_DATA" "duplicate data";
    SeveralDuplicates: Report "several unique fields that clash are one nested error"
        => 400 "MULTIPLE_OR_MULTI_ERRORS" "several errors";
    ChecksAreUnique: Page "duplicate_check_fields are unique fields, or those that Zoho checks itself"
        => 400 "INVALID_DATA" "the field cannot be used to check for duplicates";
    UpsertLooksAtAllUnique: Page "an upsert looks at every unique field, named in duplicate_check_fields or not";
    CadencesRun: Page "cadences run unless skip_feature_execution names them, also with an empty trigger";
    NotModifiedSince: Page "If-Unmodified-Since holds" => 412 "ALREADY_MODIFIED" "the record has been modified";
    NotLocked: Report "nobody else is writing the record" => 400 "RECORD_LOCKED" "the record is locked";

    // What refuses a record.
    NotInApproval: File "a record that waits for an approval is not changed"
        => 400 "NOT_APPROVED" "the record is not approved";
    NotInBlueprint: File "a record in a blueprint is not changed beside it"
        => 400 "RECORD_IN_BLUEPRINT" "the record is in a blueprint";
    NotConverted: Page "a converted lead is not changed" => 400 "INVALID_DATA" "the id given seems to be invalid";
    ValidationRules: Page "the organisation's validation rules hold" => 400 "INVALID_DATA" "invalid data";
    RoomForRecords: Report "there is room: what lies in the recycle bin counts"
        => 400 "MAX_RECORDS_LIMIT_REACHED" "the limit of records is reached";
    DuplicatePreferences: Page "by the Duplicate Check Preferences, no other module, and no converted lead, has the value"
        => 400 "DUPLICATE_DATA" "duplicate data";

    // Deleted records, the recycle bin and timelines.
    RecordsPerPage: File "a page has at most 200 records" => 400 "INVALID_DATA" "invalid parameter";
    PermanentIsNameless: File "of what is deleted permanently, neither the name nor by whom is told";
    BinIsForSixtyDays: Page "what is deleted lies in the recycle bin for 60 days";
    BinHasRecord: File "only what lies in the recycle bin is purged or restored"
        => 400 "INVALID_DATA" "the id given seems to be invalid";
    BinIdsPerCall: Page "a call purges at most 100 records" => 400 "LIMIT_EXCEEDED" "too many ids";
    TimelineHasRecord: File "a timeline is that of a record, deleted or not, but not of a purged one"
        => 400 "INVALID_DATA" "the id given seems to be invalid";

    // Bulk read.
    BulkBody: File "the body is a query of the documented shape"
        => 400 "REQUEST_BODY_NOT_READABLE" "the request body cannot be read";
    BulkPages: File "pages begin with 1" => 400 "PAGE_RANGE_EXCEEDED" "the page is out of range";
    BulkModule: File "the module exists" => 400 "MODULE_NOT_AVAILABLE" "the module is not available";
    BulkFields: File "fields are the module's" => 400 "FIELD_NOT_AVAILABLE" "the field is not available";
    BulkCriteria: File "a query has at most 25 criteria" => 400 "CRITERIA_LIMIT_EXCEEDED" "too many criteria";
    BulkCriteriaFields: File "criteria name fields of the module"
        => 400 "FIELD_IN_CRITERIA_NOT_AVAILABLE" "the field is not available";
    BulkComparators: File "comparators are equal, not_equal, contains, not_contains, starts_with, ends_with"
        => 400 "FIELD_COMPARATOR_IN_CRITERIA_NOT_SUPPORTED" "the comparator is not supported";
    BulkCosts: Page "a job costs 50 credits";
    BulkRows: Page "a job has at most 200,000 rows: the next page is another job";
    BulkJobExists: File "the job exists" => 404 "RESOURCE_NOT_FOUND" "the resource is not found";
    BulkJobCompleted: File "only a completed job has a result"
        => 404 "RESOURCE_NOT_FOUND" "the resource is not found";
    BulkDownloads: Page "at most 10 results are downloaded a minute"
        => 429 "TOO_MANY_REQUESTS" "too many downloads in a minute";

    // The search.
    SearchIsGiven: File "a search has criteria, email, phone or word"
        => 400 "EXPECTED_PARAM_MISSING" "one of the expected parameter is missing";
    CriteriaAreValid: File "criteria are well-formed and name fields of the module"
        => 400 "INVALID_QUERY" "Invalid query formed";
    CriteriaValuesFit: File "values in criteria have their field's type" => 400 "INVALID_QUERY" "Invalid query formed";
    CriteriaAreFew: Page "a search has at most 10 criteria (15 by the message of the error)"
        => 400 "CRITERIA_LIMIT_EXCEEDED" "no of criterium that can be given exceed the limit 15";

    // COQL.
    CoqlSyntax: File "a query is select … from … where … [order by …] [limit …]; quotes in texts are doubled"
        => 400 "SYNTAX_ERROR" "error occurred while parsing the query";
    CoqlPairs: Page "criteria are in brackets, two by two" => 400 "SYNTAX_ERROR" "error occurred while parsing the query";
    CoqlColumns: Page "a query has at most 50 columns" => 400 "LIMIT_EXCEEDED" "too many columns";
    CoqlCriteria: Page "a query has at most 25 criteria" => 400 "LIMIT_EXCEEDED" "too many criteria";
    CoqlValues: Page "an in has at most 50 values" => 400 "LIMIT_EXCEEDED" "too many values";
    CoqlRows: File "a call returns 1 to 200 rows, of the first 100,000" => 400 "LIMIT_EXCEEDED" "the limit is not allowed";
    CoqlModuleExists: File "a query is of a module that exists"
        => 400 "INVALID_QUERY" "the module given seems to be invalid";
    CoqlFieldExists: File "a query names fields of the module" => 400 "INVALID_QUERY" "column given seems to be invalid";
    CoqlNoTextarea: Page "criteria name no multi-line fields" => 400 "INVALID_QUERY" "column given seems to be invalid";

    // Settings.
    NewFieldsPerCall: File "a call creates at most 5 fields" => 400 "LIMIT_EXCEEDED" "too many fields in one call";
    SettingsAreComplete: File "new modules and fields have what is mandatory"
        => 400 "MANDATORY_NOT_FOUND" "required field not found";
    SettingsFit: File "labels, types and lengths of new modules and fields are allowed"
        => 400 "INVALID_DATA" "invalid data";
    NamesAreFree: File "no other module or field has this name" => 400 "DUPLICATE_DATA" "duplicate data";

    // Editions, and what administrators do.
    EditionHasModules: Page "modules are created by API from the Enterprise edition on, up to 200, or 500 in Ultimate"
        => 400 "LIMIT_EXCEEDED" "too many custom modules";
    NewModulesCostCredits: Page "a call that creates a module costs 500 credits";
    ModuleLabelsArePlain: File "labels of modules have letters and digits; by the pages, also blanks"
        => 400 "INVALID_DATA" "invalid data";
    EditionHasFields: Page "a module has at most 0, 10, 150, 310 custom fields, by edition"
        => 400 "LIMIT_EXCEEDED" "too many custom fields";
    FewUniqueFields: Page "a module has at most 2 unique fields, in all editions"
        => 400 "LIMIT_EXCEEDED" "too many unique fields";
    LookupsHaveLabels: Page "a new lookup has a display_label, for the related list"
        => 400 "MANDATORY_NOT_FOUND" "required field not found";
    NewPicklistsAreSmall: File "a new picklist has at most 10 values of at most 25 characters"
        => 400 "INVALID_DATA" "invalid data";
    NewFieldsTogether: File "of fields that are created together, all are created or none";
    SettingExists: File "a call for one module or one layout names one that exists"
        => 400 "NOT_SUPPORTED" "not supported";
    UnusedFieldsAreLeftOut: Page "fields on no layout are listed only with type=all or type=unused";
    ProfilesComeInPages: File "profiles are listed in pages: has_more_profiles, more_records";
    ProfilePermits: Page "the user's profile may use the module, and create modules and fields" => 403 "NO_PERMISSION" "permission denied";
    RestrictedFields: Page "a search names no field that the organisation's privacy settings restrict"
        => 400 "INVALID_QUERY" "the field in restricted in GDPR";
}
