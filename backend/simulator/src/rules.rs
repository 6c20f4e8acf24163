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
    NotModifiedSince: Page "If-Unmodified-Since holds" => 412 "ALREADY_MODIFIED" "the record has been modified";
    NotLocked: Report "nobody else is writing the record" => 400 "RECORD_LOCKED" "the record is locked";

    // The search.
    SearchIsGiven: File "a search is by criteria, email, phone or word"
        => 400 "EXPECTED_PARAM_MISSING" "one of the expected parameter is missing";
    CriteriaAreValid: File "criteria are well-formed and name fields of the module"
        => 400 "INVALID_QUERY" "Invalid query formed";
    CriteriaAreFew: Page "a search has at most 10 criteria" => 400 "LIMIT_EXCEEDED" "too many criteria";

    // COQL.
    CoqlSyntax: File "a query is select … from … where … [order by …] [limit …]; quotes in texts are doubled"
        => 400 "SYNTAX_ERROR" "error occurred while parsing the query";
    CoqlPairs: Page "criteria are in brackets, two by two" => 400 "SYNTAX_ERROR" "error occurred while parsing the query";
    CoqlColumns: Page "a query has at most 50 columns" => 400 "LIMIT_EXCEEDED" "too many columns";
    CoqlCriteria: Page "a query has at most 25 criteria" => 400 "LIMIT_EXCEEDED" "too many criteria";
    CoqlValues: Page "an in has at most 50 values" => 400 "LIMIT_EXCEEDED" "too many values";
    CoqlRows: File "a call returns 1 to 200 rows, of the first 100,000" => 400 "LIMIT_EXCEEDED" "the limit is not allowed";
    CoqlFieldExists: File "a query names fields of the module" => 400 "INVALID_QUERY" "column given seems to be invalid";
    CoqlNoTextarea: Page "criteria name no multi-line fields" => 400 "INVALID_QUERY" "column given seems to be invalid";

    // Settings.
    NewFieldsPerCall: File "a call creates at most 5 fields" => 400 "LIMIT_EXCEEDED" "too many fields in one call";
    SettingsAreComplete: File "new modules and fields have what is mandatory"
        => 400 "MANDATORY_NOT_FOUND" "required field not found";
    SettingsFit: File "labels, types and lengths of new modules and fields are allowed"
        => 400 "INVALID_DATA" "invalid data";
    NamesAreFree: File "no other module or field has this name" => 400 "DUPLICATE_DATA" "duplicate data";
}
