//! Parsing requests.

use poem::http::{HeaderMap, Method, Uri, header};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{
    about::About,
    answer::Refusal,
    coql::{self, Query},
    records::Fields,
    rules::Rule,
};

/// The kind of a call, as named in fault rules and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Operation {
    Token,
    Insert,
    Update,
    Upsert,
    Delete,
    Get,
    Search,
    Coql,
    Settings,
    Org,
    Bulk,
}

impl Operation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Upsert => "upsert",
            Self::Delete => "delete",
            Self::Get => "get",
            Self::Search => "search",
            Self::Coql => "coql",
            Self::Settings => "settings",
            Self::Org => "org",
            Self::Bulk => "bulk",
        }
    }
}

/// The endpoint of Zoho's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Token,
    Insert,
    UpdateMany,
    UpdateOne(String),
    Upsert,
    DeleteMany,
    DeleteOne(String),
    List,
    GetOne(String),
    Search,
    Coql,
    Deleted,
    Timeline(String),
    Count,
    BinList,
    BinPurge,
    BinRestore,
    BinCount,
    BinEmpty,
    BinOne(String),
    BinPurgeOne(String),
    BinRestoreOne(String),
    BulkStart,
    BulkJob(String),
    BulkResult(String),
    Fields,
    CreateFields,
    Modules,
    Module(String),
    CreateModules,
    About(About),
    Org,
    UnknownUrl,
    WrongMethod,
}

impl Target {
    /// Its path in Zoho's description of its API; calls of the accounts server and wrong ones are not in there.
    pub(super) fn path(&self) -> Option<&'static str> {
        Some(match self {
            Self::Token | Self::UnknownUrl | Self::WrongMethod => return None,
            Self::Insert | Self::UpdateMany | Self::DeleteMany | Self::List => "/crm/v8/{module}",
            Self::UpdateOne(_) | Self::DeleteOne(_) | Self::GetOne(_) => "/crm/v8/{module}/{recordID}",
            Self::Upsert => "/crm/v8/{module}/upsert",
            Self::Search => "/crm/v8/{module}/search",
            Self::Coql => "/crm/v8/coql",
            Self::Deleted => "/crm/v8/{module}/deleted",
            Self::Timeline(_) => "/crm/v8/{module}/{recordId}/__timeline",
            Self::Count => "/crm/v8/{moduleApiName}/actions/count",
            Self::BinList | Self::BinPurge => "/crm/v8/settings/recycle_bin",
            Self::BinRestore => "/crm/v8/settings/recycle_bin/actions/restore",
            Self::BinCount => "/crm/v8/settings/recycle_bin/actions/count",
            Self::BinEmpty => "/crm/v8/settings/recycle_bin/actions/empty",
            Self::BinOne(_) | Self::BinPurgeOne(_) => "/crm/v8/settings/recycle_bin/{recordId}",
            Self::BinRestoreOne(_) => "/crm/v8/settings/recycle_bin/{recordId}/actions/restore",
            Self::BulkStart => "/crm/bulk/v8/read",
            Self::BulkJob(_) => "/crm/bulk/v8/read/{jobId}",
            Self::BulkResult(_) => "/crm/bulk/v8/read/{jobId}/result",
            Self::Fields | Self::CreateFields => "/crm/v8/settings/fields",
            Self::Modules | Self::CreateModules => "/crm/v8/settings/modules",
            Self::Module(_) => "/crm/v8/settings/modules/{moduleIdentifier}",
            Self::About(about) => about.path(),
            Self::Org => "/crm/v8/org",
        })
    }
}

/// A call.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) target: Target,
    pub(super) operation: Operation,
    pub(super) module: Option<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) authorization: Option<String>,
    pub(super) host: String,
    pub(super) content_type: String,
    pub(super) unmodified_since: Option<String>,
    pub(super) modified_since: Option<String>,
    pub(super) body: Result<WriteBody, Refusal>,
    /// The query of COQL.
    pub(super) coql: Result<Option<Query>, Refusal>,
    /// The raw body, for calls that are not about records.
    pub(super) raw: Vec<u8>,
}

/// The body of a call that writes records.
#[derive(Default, Deserialize)]
pub(super) struct WriteBody {
    pub(super) data: Vec<Fields>,
    #[serde(default)]
    pub(super) duplicate_check_fields: Option<Vec<String>>,
    #[serde(default, rename = "trigger", deserialize_with = "known_triggers")]
    _trigger: (),
    #[serde(default)]
    skip_feature_execution: Vec<Feature>,
}

#[derive(Deserialize)]
struct Feature {
    name: String,
}

impl WriteBody {
    /// Whether cadences run: whatever `trigger` says, unless they are skipped by name.
    pub(super) fn runs_cadences(&self) -> bool {
        !self.skip_feature_execution.iter().any(|feature| feature.name == "cadences")
    }
}

/// The allowed values of `trigger`.
const TRIGGERS: [&str; 5] = ["approval", "workflow", "blueprint", "pathfinder", "orchestration"];

fn known_triggers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    let triggers = Option::<Vec<String>>::deserialize(deserializer)?.unwrap_or_default();
    match triggers.iter().all(|trigger| TRIGGERS.contains(&trigger.as_str())) {
        true => Ok(()),
        false => Err(serde::de::Error::custom("unknown trigger")),
    }
}

/// The paths of the simulated API version.
const API: &str = "/crm/v8/";
const BULK: &str = "/crm/bulk/v8/";

impl Call {
    pub(super) fn read(method: Method, uri: &Uri, headers: &HeaderMap, body: Vec<u8>) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let path = uri.path().to_owned();
        let (target, operation, module) = route(&method, &path);
        let writes = matches!(operation, Operation::Insert | Operation::Update | Operation::Upsert);
        let (raw, body) = match writes {
            true => (Vec::new(), read_body(&body)),
            false => (body, Ok(WriteBody::default())),
        };
        let coql = if target == Target::Coql { coql::read(&raw).map(Some) } else { Ok(None) };
        Self {
            target,
            operation,
            module,
            query: pairs(uri.query().unwrap_or_default()),
            authorization: text(header::AUTHORIZATION),
            host: text(header::HOST).unwrap_or_else(|| "localhost".to_owned()),
            content_type: text(header::CONTENT_TYPE).unwrap_or_default(),
            unmodified_since: text(header::IF_UNMODIFIED_SINCE),
            modified_since: text(header::IF_MODIFIED_SINCE),
            method,
            path,
            body,
            coql,
            raw,
        }
    }

    /// The query of COQL, if it could be read.
    pub(super) fn query_of_coql(&self) -> Option<&Query> {
        self.coql.as_ref().ok()?.as_ref()
    }

    /// The module that it concerns: that of its path, or of its query.
    pub(super) fn concerns(&self) -> Option<&str> {
        self.module.as_deref().or_else(|| self.query_of_coql().map(|query| query.module.as_str()))
    }

    /// A query parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether its module must exist.
    pub(super) fn is_of_a_module(&self) -> bool {
        self.module.is_some() && !matches!(self.target, Target::UnknownUrl | Target::WrongMethod | Target::Token)
    }

    /// Whether errors are lists, as for calls that read records.
    pub(super) fn errors_are_lists(&self) -> bool {
        matches!(self.target, Target::List | Target::GetOne(_))
    }

    /// Whether it writes or deletes records.
    pub(super) fn changes_records(&self) -> bool {
        use Operation as O;
        matches!(self.operation, O::Insert | O::Update | O::Upsert | O::Delete)
    }

    /// The ids in the URL.
    pub(super) fn ids(&self) -> Vec<&str> {
        match &self.target {
            Target::UpdateOne(id) | Target::DeleteOne(id) | Target::GetOne(id) | Target::Timeline(id) => vec![id],
            Target::BinOne(id) | Target::BinPurgeOne(id) | Target::BinRestoreOne(id) => vec![id],
            _ => self.parameter("ids").map(|ids| ids.split(',').map(str::trim).collect()).unwrap_or_default(),
        }
    }

    fn records(&self) -> &[Fields] {
        self.body.as_ref().map_or(&[], |body| &body.data)
    }

    /// The number of records that it writes.
    pub(super) fn writes(&self) -> usize {
        match self.operation {
            Operation::Delete => self.ids().len(),
            _ => self.records().len(),
        }
    }

    /// The number of records that it is about.
    pub(super) fn size(&self) -> usize {
        self.records().len().max(self.ids().len())
    }

    /// The keys of its records: the first duplicate check field, or the id.
    pub(super) fn keys(&self) -> Vec<String> {
        let check = self.body.as_ref().ok().and_then(|body| body.duplicate_check_fields.as_ref()?.first());
        let key = |fields: &Fields| {
            let value = check.and_then(|check| fields.get(check)).or_else(|| fields.get("id"))?;
            Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        let of_records = self.records().iter().filter_map(key);
        of_records.chain(self.ids().into_iter().map(str::to_owned)).collect()
    }

    /// Whether any field of any record, the URL, or a query has this value.
    pub(super) fn mentions(&self, key: &str) -> bool {
        self.records().iter().any(|fields| has_value(fields, key))
            || self.ids().contains(&key)
            || self.parameter("criteria").is_some_and(|criteria| criteria.contains(key))
            || self.parameter("email") == Some(key)
            || (self.operation == Operation::Coql && String::from_utf8_lossy(&self.raw).contains(key))
    }
}

/// Whether a field of the record has this value.
pub(super) fn has_value(fields: &Fields, key: &str) -> bool {
    fields.values().any(|value| match value {
        Value::String(text) => text == key,
        Value::Object(lookup) => lookup.get("id").and_then(Value::as_str) == Some(key),
        _ => false,
    })
}

/// The names and values of a query or form.
pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

fn read_body(body: &[u8]) -> Result<WriteBody, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        let refusal = Refusal::of(Rule::BodyFits);
        // JSON of the wrong shape, or not JSON at all.
        match error.classify() {
            serde_json::error::Category::Data => refusal
                .detail("expected_data_type", "jsonarray")
                .detail("api_name", "data")
                .detail("json_path", "$.data"),
            _ => refusal.detail("expected_data_type", "jsonobject"),
        }
    })
}

fn route(method: &Method, path: &str) -> (Target, Operation, Option<String>) {
    use Operation as O;
    use Target as T;
    if path == "/oauth/v2/token" {
        let target = if *method == Method::POST { T::Token } else { T::WrongMethod };
        return (target, O::Token, None);
    }
    if let Some(rest) = path.strip_prefix(BULK) {
        return (bulk_read(method, rest), O::Bulk, None);
    }
    let Some(rest) = path.strip_prefix(API) else { return (T::UnknownUrl, O::Get, None) };
    let parts: Vec<&str> = rest.split('/').collect();
    if let Some(about) = About::of(&parts) {
        let target = if *method == Method::GET { T::About(about) } else { T::WrongMethod };
        return (target, O::Settings, None);
    }
    let (target, operation) = match (method.as_str(), parts.as_slice()) {
        ("GET", ["org"]) => (T::Org, O::Org),
        (_, ["org"]) => (T::WrongMethod, O::Org),
        ("POST", ["coql"]) => (T::Coql, O::Coql),
        (_, ["coql"]) => (T::WrongMethod, O::Coql),
        ("GET", ["settings", "fields"]) => (T::Fields, O::Settings),
        ("POST", ["settings", "fields"]) => (T::CreateFields, O::Settings),
        ("GET", ["settings", "modules"]) => (T::Modules, O::Settings),
        ("POST", ["settings", "modules"]) => (T::CreateModules, O::Settings),
        ("GET", ["settings", "modules", module]) => (T::Module((*module).to_owned()), O::Settings),
        (_, ["settings", "fields" | "modules", ..]) => (T::WrongMethod, O::Settings),
        (_, ["settings", "recycle_bin", rest @ ..]) => (recycle_bin(method, rest), O::Settings),
        (_, ["settings", ..]) => (T::UnknownUrl, O::Settings),
        ("POST", [_, "upsert"]) => (T::Upsert, O::Upsert),
        ("GET", [_, "search"]) => (T::Search, O::Search),
        ("GET", [_, "deleted"]) => (T::Deleted, O::Get),
        ("GET", [_, "actions", "count"]) => (T::Count, O::Search),
        ("GET", [_, id, "__timeline"]) => (T::Timeline((*id).to_owned()), O::Get),
        (_, [_, "actions", "count"] | [_, _, "__timeline"]) => (T::WrongMethod, O::Get),
        (_, [_, "upsert" | "search" | "deleted"]) => (T::WrongMethod, O::Get),
        ("POST", [_]) => (T::Insert, O::Insert),
        ("PUT", [_]) => (T::UpdateMany, O::Update),
        ("DELETE", [_]) => (T::DeleteMany, O::Delete),
        ("GET", [_]) => (T::List, O::Get),
        ("PUT", [_, id]) => (T::UpdateOne((*id).to_owned()), O::Update),
        ("DELETE", [_, id]) => (T::DeleteOne((*id).to_owned()), O::Delete),
        ("GET", [_, id]) => (T::GetOne((*id).to_owned()), O::Get),
        (_, [_] | [_, _]) => (T::WrongMethod, O::Get),
        _ => (T::UnknownUrl, O::Get),
    };
    let module = match operation {
        O::Org | O::Settings | O::Coql => None,
        _ => parts.first().map(|module| (*module).to_owned()),
    };
    (target, operation, module)
}

fn recycle_bin(method: &Method, rest: &[&str]) -> Target {
    use Target as T;
    match (method.as_str(), rest) {
        ("GET", []) => T::BinList,
        ("DELETE", []) => T::BinPurge,
        ("POST", ["actions", "restore"]) => T::BinRestore,
        ("GET", ["actions", "count"]) => T::BinCount,
        ("POST", ["actions", "empty"]) => T::BinEmpty,
        ("POST", [id, "actions", "restore"]) => T::BinRestoreOne((*id).to_owned()),
        ("GET", [id]) => T::BinOne((*id).to_owned()),
        ("DELETE", [id]) => T::BinPurgeOne((*id).to_owned()),
        (_, [] | [_] | ["actions", "restore" | "count" | "empty"] | [_, "actions", "restore"]) => T::WrongMethod,
        _ => T::UnknownUrl,
    }
}

fn bulk_read(method: &Method, rest: &str) -> Target {
    use Target as T;
    let parts: Vec<&str> = rest.split('/').collect();
    match (method.as_str(), parts.as_slice()) {
        ("POST", ["read"]) => T::BulkStart,
        ("GET", ["read", id]) => T::BulkJob((*id).to_owned()),
        ("GET", ["read", id, "result"]) => T::BulkResult((*id).to_owned()),
        (_, ["read"] | ["read", _] | ["read", _, "result"]) => T::WrongMethod,
        _ => T::UnknownUrl,
    }
}
