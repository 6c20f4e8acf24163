//! Calls about modules, fields and the organisation.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    Call, Client,
    answer::{self, Purpose},
    error::CallError,
    refusal::RecordAnswer,
};
use crate::{http::HttpAnswer, zoho::metadata};

/// The credits for creating a module; inferred, Zoho's documentation does not say.
const MODULE_CREDITS: u32 = 500;

/// What identifies an organisation to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// The company's name.
    pub name: String,
    /// For example `enterprise`.
    pub edition: Option<String>,
    /// For example `Europe/Berlin`.
    pub time_zone: Option<String>,
}

/// A module and the profiles that may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleName {
    /// The module's API name.
    pub api_name: String,
    /// The profiles' ids.
    pub profiles: Vec<String>,
}

impl Client {
    /// The fields of a module; `None` when there is no such module.
    pub async fn fields(&self, module: &str) -> Result<Option<metadata::Module>, CallError> {
        let mut call = Call::read("fields", module, "settings/fields".to_owned());
        // Without the type, those that are on no layout are left out, and their names look free.
        call.query = vec![("module", module.to_owned()), ("type", "all".to_owned())];
        let fields = match answer::list(&self.send(call).await?, "fields") {
            Err(CallError::Configuration { code, .. }) if code == "INVALID_MODULE" => return Ok(None),
            fields => fields?,
        };
        let fields = fields.into_iter().map(|field| {
            let field: metadata::ModuleField = serde_json::from_value(Value::Object(field)).map_err(|error| {
                CallError::unknown(None, format!("Zoho describes a field of {module} in an unexpected way: {error}"))
            })?;
            Ok((field.api_name.clone(), field))
        });
        Ok(Some(metadata::Module { fields: fields.collect::<Result<_, CallError>>()? }))
    }

    /// All modules.
    pub async fn modules(&self) -> Result<Vec<ModuleName>, CallError> {
        let modules =
            answer::list(&self.send(Call::read("modules", "", "settings/modules".to_owned())).await?, "modules")?;
        Ok(modules.iter().filter_map(module_name).collect())
    }

    /// Creates the module that the body describes.
    pub async fn create_module(&self, body: Value) -> Result<Vec<RecordAnswer>, CallError> {
        let answer = self.create("modules", Vec::new(), &body, MODULE_CREDITS).await?;
        answer::entries(&answer, "modules", 1, Purpose::Create)
    }

    /// Creates the fields that the body describes, at most five. Zoho creates all of them or none, so those that it
    /// refuses are left out of a second call. Returns one entry per field, in order.
    pub async fn create_fields(&self, module: &str, body: Value) -> Result<Vec<RecordAnswer>, CallError> {
        let fields = body.get("fields").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut entries: Vec<Option<RecordAnswer>> = vec![None; fields.len()];
        loop {
            let open: Vec<usize> = (0..fields.len()).filter(|place| entries[*place].is_none()).collect();
            if open.is_empty() {
                return Ok(entries.into_iter().flatten().collect());
            }
            let body = json!({ "fields": open.iter().map(|place| &fields[*place]).collect::<Vec<_>>() });
            let answer = self.create("fields", vec![("module", module.to_owned())], &body, 1).await?;
            match answer::refused_by_place(&answer, "fields", open.len()) {
                Some(refused) => {
                    refused.into_iter().for_each(|(place, refusal)| {
                        entries[open[place]] = Some(RecordAnswer::Refused(refusal));
                    });
                }
                None => {
                    let created = answer::entries(&answer, "fields", open.len(), Purpose::Create)?;
                    open.into_iter().zip(created).for_each(|(place, entry)| entries[place] = Some(entry));
                }
            }
        }
    }

    async fn create(
        &self,
        what: &str,
        query: Vec<(&str, String)>,
        body: &Value,
        credits: u32,
    ) -> Result<HttpAnswer, CallError> {
        self.send(Call {
            operation: "create",
            module: "",
            method: Method::POST,
            path: format!("settings/{what}"),
            query,
            body: Some(body.to_string().into_bytes()),
            writes: 1,
            credits,
        })
        .await
    }

    /// The organisation. This is the cheapest call.
    pub async fn org(&self) -> Result<Organisation, CallError> {
        let answer = self.send(Call::read("org", "", "org".to_owned())).await?;
        let list = answer::list(&answer, "org")?;
        let org =
            list.first().ok_or_else(|| CallError::unknown(Some(answer.status), "Zoho returned no organisation"))?;
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        Ok(Organisation {
            name: text(org.get("company_name")).unwrap_or_else(|| "(no name)".to_owned()),
            time_zone: text(org.get("time_zone")),
            edition: text(org.get("license_details").and_then(|details| details.get("paid_type"))),
        })
    }
}

fn module_name(module: &Map<String, Value>) -> Option<ModuleName> {
    let profiles = module.get("profiles").and_then(Value::as_array);
    let id = |profile: &Value| profile.get("id").and_then(Value::as_str).map(str::to_owned);
    Some(ModuleName {
        api_name: module.get("api_name")?.as_str()?.to_owned(),
        profiles: profiles.into_iter().flatten().filter_map(id).collect(),
    })
}
